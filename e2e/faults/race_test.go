//go:build race

package faults

// raceFlags let the race detector examine the tapedeck binary too.
var raceFlags = []string{"-race"}
