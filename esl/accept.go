package esl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// accept takes connections from ln until ctx ends. It returns nil then, or the
// error that ended it.
func (v *serving) accept(ctx context.Context, ln net.Listener) error {
	var pause time.Duration
	for {
		nc, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = nc.Close()
			}
			return nil
		case err != nil && temporary(err):
			if exhausted(err) && v.admission.evict() {
				pause = 0 // there is room as soon as they are closed
			}
			pause = min(max(2*pause, time.Millisecond), 100*time.Millisecond)
			v.throttledLog.warn("accept failed, trying again", "accept", "error", err)
			wait(ctx, pause)
		case err != nil:
			return fmt.Errorf("esl: serve: %w", err)
		default:
			pause = 0
			v.admit(nc)
		}
	}
}

// temporary reports whether Accept may work again later: the process or the
// machine is out of something, or the peer went away.
func temporary(err error) bool {
	for _, e := range []error{syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return exhausted(err)
}

// exhausted reports whether there is no file descriptor left.
func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
