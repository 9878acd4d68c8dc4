// Package esl speaks FreeSWITCH's event socket on both of its sides: a Server
// takes the connections that the dialplan's `socket` application opens, a Link
// dials a switch, logs in, subscribes and redials. Both stand on Conn: one
// reader, replies matched to commands by their place, events in their order in
// one bounded queue. Every wait has a deadline and every size a limit.
//
// Only this package writes wire text. A Command is made by a constructor that
// checks its arguments; one that was refused is never written. The words of
// most commands come from github.com/percipia/eslgo/command; the connections are
// our own.
//
// The protocol's only specification is mod_event_socket.c; comments name the
// function a rule was read in, as of FreeSWITCH 1.10.12.
package esl
