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

// TestTurns: no more than two at once, never two of one name, and all of them.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(2)
		var mu sync.Mutex
		working, most, did := map[string]int{}, 0, 0
		for i := range 30 {
			name := fmt.Sprint(i % 5)
			go func() {
				done, err := turns.take(t.Context(), name)
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
		if most != 2 || did != 30 || len(turns.busy) != 0 || len(turns.slots) != 0 {
			t.Errorf("%d at once, %d of 30; left %v", most, did, turns.busy)
		}
	})
}

// TestTurnsGivenUp: whoever waits no longer is in nobody's way.
func TestTurnsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(1)
		done, err := turns.take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b"} { // one waits for the other, one for a slot
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := turns.take(ctx, name); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(name, err)
			}
			cancel()
		}
		done()
		for _, name := range []string{"a", "b"} {
			done, err := turns.take(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			done()
		}
	})
}
