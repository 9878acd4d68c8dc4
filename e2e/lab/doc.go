// Package lab is two real FreeSWITCHes on loopback: the switch under test, set
// up with the files of freeswitch-conf as their README says, and one that plays
// all telephones. Every telephone speaks a tone of its own, so a recording tells
// who is in it, in which channel, and when.
package lab
