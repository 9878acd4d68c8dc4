// Package esl speaks FreeSWITCH's event socket on both of its sides: a Server
// takes the connections that the dialplan's `socket` application opens, a Link
// dials a switch, logs in, subscribes and redials. Both use Conn: one reader,
// replies matched to commands by their place, events in order in one bounded
// queue. Every wait has a deadline and every size a limit.
//
// Only this package writes wire text. A Command is made by a constructor that
// checks its arguments; one that was refused is never written. The words of
// most commands come from github.com/percipia/eslgo/command; the connections are
// our own.
//
// The only specification of the protocol is mod_event_socket.c. A comment that
// states one of its rules names the function, as of FreeSWITCH 1.10.12.
package esl
