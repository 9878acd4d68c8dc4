package calls

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/store"
	"tapedeck/store/storetest"
)

// recorder is a go-redis hook that notes the calls that are written, in order.
type recorder struct {
	mu     sync.Mutex
	writes []string
}

func (*recorder) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*recorder) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (r *recorder) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range cmds {
			var hash string
			switch c.Name() {
			case "evalsha":
				hash = c.Args()[1].(string)
			case "eval":
				hash = redis.NewScript(c.Args()[1].(string)).Hash()
			}
			// A machine that is busy makes an owner doubt, and claim its own calls anew.
			names := map[string]string{saveScript.Hash(): "save", claimScript.Hash(): "save", endScript.Hash(): "end"}
			if err == nil && names[hash] != "" {
				r.writes = append(r.writes, names[hash]+" "+fmt.Sprint(c.Args()[3]))
			}
		}
		return err
	}
}

func TestRedisGoneAndBack(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		tell := a.tell
		writes := &recorder{}
		a.conn.Client().AddHook(writes)
		a.Save(call("org-0", 1, On))
		a.Save(call("org-0", 2, On))
		tell.Await(t, "two calls to be written", func() bool { return a.Queued() == 0 })

		srv.Stop()
		tell.Await(t, "Redis to be missed", func() bool { return !a.conn.Up() })
		writes.writes = nil
		begin := time.Now()
		for i := range 2000 {
			a.Save(call("org-1", 3, On))
			a.Save(call("org-0", 1, []State{Paused, On}[i%2]))
			a.Save(call("org-0", 4, Off)) // begins and ends meanwhile: Redis need not know
			a.End("org-0", "call-4")
		}
		a.End("org-0", "call-2")
		a.Save(call("org-0", 5, Paused))
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("8002 states took %s", took)
		}
		if n := a.Queued(); n != 4 {
			t.Errorf("%d calls queued, want 4", n)
		}
		if _, err := a.List(t.Context()); !errors.Is(err, store.ErrAway) {
			t.Errorf("live calls while Redis is away: %v", err)
		}

		if err := srv.Start(); err != nil {
			t.Fatal(err)
		}
		tell.Await(t, "everything to be written", func() bool { return a.conn.Up() && a.Queued() == 0 })
		b := open(t, srv)
		mustCalls(t, b.Store, call("org-0", 1, On), call("org-1", 3, On), call("org-0", 5, Paused))
		want := []string{
			"end " + callKey("org-0", "call-2"), "save " + callKey("org-0", "call-1"),
			"save " + callKey("org-0", "call-5"), "save " + callKey("org-1", "call-3"),
		}
		writes.mu.Lock()
		defer writes.mu.Unlock()
		// What follows is the same again: a new subscription may mean a new Redis.
		// The order between calls is not promised: a call that is saved while its last
		// state is on its way queues behind the others.
		first := slices.Sorted(slices.Values(writes.writes[:min(4, len(writes.writes))]))
		if !slices.Equal(first, want) {
			t.Errorf("written %q, want %q first, in any order", writes.writes, want)
		}
		if ups := tell.Ups(); ups != "[true false true]" {
			t.Errorf("OnUp said %s", ups)
		}
	})
}

// BenchmarkSave measures what Save costs a call while nothing is written.
func BenchmarkSave(b *testing.B) {
	s := New(storetest.OpenWith(b, store.Config{}))
	c := call("org-7", 1, On)
	b.ReportAllocs()
	for b.Loop() {
		s.Save(c)
	}
}
