//go:build race

package chain

// walks is how many changes TestWalk tries: the race detector makes it ten times slower.
const walks = 1_000
