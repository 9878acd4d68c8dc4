//go:build race

package faults

// raceFlags has the race detector look into the binary too.
var raceFlags = []string{"-race"}
