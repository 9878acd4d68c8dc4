package recording

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestLimiter: at most two work at once, never two on one name, and all do.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2)
		var mu sync.Mutex
		working, most, did := map[string]int{}, 0, 0
		for i := range 30 {
			name := fmt.Sprint(i % 5)
			go func() {
				done, err := l.acquire(t.Context(), name)
				if err != nil {
					t.Error(err)
					return
				}
				defer done()
				mu.Lock()
				if working[name]++; working[name] > 1 {
					t.Errorf("two of %s", name)
				}
				all := 0
				for _, n := range working {
					all += n
				}
				most = max(most, all)
				did++
				mu.Unlock()
				time.Sleep(time.Minute)
				mu.Lock()
				working[name]--
				mu.Unlock()
			}()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if most != 2 || did != 30 || len(l.busy) != 0 || len(l.slots) != 0 {
			t.Errorf("%d at once, %d of 30; left %v", most, did, l.busy)
		}
	})
}

// TestLimiterGivesUp: a goroutine that stops waiting is in nobody's way.
func TestLimiterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		done, err := l.acquire(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b"} { // one waits for the other, one for a slot
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := l.acquire(ctx, name); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(name, err)
			}
			cancel()
		}
		done()
		for _, name := range []string{"a", "b"} {
			done, err := l.acquire(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			done()
		}
	})
}
