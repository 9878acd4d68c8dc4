//go:build !race

package chain

const walks = 10_000
