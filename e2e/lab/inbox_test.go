package lab

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestInbox: an event is found whether it has come already or comes later; who waits
// learns that the program has ended, or that nothing comes.
func TestInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var in inbox[int]
		wait := func(seen int, ended <-chan struct{}, want int) (int, error) {
			return in.wait(t.Context(), seen, ended, func(n int) bool { return n == want })
		}
		in.add(1)
		in.add(2)
		if got, err := wait(0, nil, 2); got != 2 || err != nil {
			t.Errorf("an event that has come: %d, %v", got, err)
		}
		go func() {
			time.Sleep(time.Second)
			in.add(4)
			time.Sleep(time.Second)
			in.add(1)
		}()
		if got, err := wait(in.seen(), nil, 1); got != 1 || err != nil || in.seen() != 4 {
			t.Errorf("an event that comes after another one: %d, %v", got, err)
		}
		if _, err := wait(4, nil, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an event that does not come again: %v", err)
		}
		ended := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(ended) })
		if _, err := wait(0, ended, 7); !errors.Is(err, errEnded) {
			t.Errorf("the program ends: %v", err)
		}
	})
}
