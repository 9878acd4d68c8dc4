//go:build !race

package faults

var raceFlags []string
