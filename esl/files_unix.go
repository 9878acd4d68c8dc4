//go:build unix

package esl

import (
	"math"
	"syscall"
)

// openFiles is how many file descriptors this process may have. (Go raises the
// soft limit to the hard one when a program starts.)
func openFiles() int {
	var lim syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim) != nil || lim.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(lim.Cur)
}
