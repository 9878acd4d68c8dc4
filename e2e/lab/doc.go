// Package lab runs two real FreeSWITCHes on loopback: the switch under test, which is
// set up with the files of freeswitch-conf as their README says, and one that plays
// all telephones. Every telephone speaks its own tone, so a test can find out who is
// heard in a recording, in which channel, and when.
package lab
