package access

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestHashingBudget: however many guess at once, hashing takes less than half a core.
func TestHashingBudget(t *testing.T) {
	a, _, _ := opened(t, goodFile)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	began, before := time.Now(), processorTime()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				_, _, _ = a.SignIn(ctx, fmt.Sprint("somebody", i), "a wrong password", i == 0)
			}
		})
	}
	all.Wait()
	took, spent := time.Since(began), processorTime()-before
	t.Logf("%v of processor time in %v", spent, took)
	if spent >= took/2 {
		t.Errorf("%v of processor time in %v", spent, took)
	}
}
