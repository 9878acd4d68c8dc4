// Package testkit holds what the tests of several packages need: a log that can
// be read while it is written, waiting for something that happens elsewhere, a
// real redis-server, a check for goroutines that are left over. Only tests
// import it, and it imports nothing of ours.
package testkit
