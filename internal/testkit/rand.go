package testkit

import (
	"math/rand/v2"
	"testing"
)

// Rand returns random numbers for a seed, which it logs, so that a test that fails
// can be run again with the same ones.
func Rand(t testing.TB, seed uint64) *rand.Rand {
	t.Helper()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}
