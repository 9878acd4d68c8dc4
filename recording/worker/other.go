//go:build !linux

package worker

import (
	"errors"
	"os"
	"syscall"
)

var errLinux = errors.New("workers need Linux")

func socketPair() (ours, theirs *os.File, err error) { return nil, nil, errLinux }
func ofWorker() *syscall.SysProcAttr                 { return nil }
func restart(bool, []string) error                   { return errLinux }
