// Package faults makes calls on a simulated FreeSWITCH while it kills, freezes and
// cuts off real Tapedeck processes and a real Redis, and fills the disk. Calls are
// transferred and, with -faults.talks, picked up, and there are conference rooms. Then
// it listens to every file and reads every sidecar. All the time it checks what the
// legs are told (told_test.go). It has only tests.
//
// A seed is one run: its policy, its calls and its faults are drawn from the seed.
// `make test` runs 50 seeds, `make faults` 500 with -faults.talks. A failure prints the command that
// runs its seed again with a whole log:
//
//	go test -race ./e2e/faults -run TestFaults -faults.seed=17
//
// The same seed always draws the same policy, calls and faults, but the machine is
// never exactly as busy again: to see a rare failure, add -count=20.
package faults
