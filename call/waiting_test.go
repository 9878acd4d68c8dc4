package call

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/recording"
)

// finishingArchive hands out the drafts that it is to finish.
type finishingArchive struct {
	noArchive
	drafts chan recording.Sidecar
}

func (a finishingArchive) Finish(s recording.Sidecar, then func(recording.Sidecar, error)) {
	a.drafts <- s
	a.noArchive.Finish(s, then)
}

// queueCall is a call that waits in a queue.
type queueCall struct {
	*fixture
	a *esltest.Channel
}

// agent is the answered leg of a phone that takes calls from the queue.
func (q *queueCall) agent() *esltest.Channel {
	b := q.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1004", Destination: "5901", ToneHz: dave,
		Variables: map[string]string{"user_name": "1004", "domain_name": "acme.example.net"}})
	b.Answer()
	return b
}

// queue lets the call wait for a second.
func (q *queueCall) queue(name string) {
	q.Helper()
	q.a.Queue(name)
	q.settle()
	from := time.Now()
	q.talk(second)
	q.until("the wait lasts some milliseconds, which a sidecar tells", func() bool { return time.Since(from) > 3*time.Millisecond })
}

// look has the watchdog look at the call's file n times; it never grows.
func (fx *fixture) look(n int) {
	fx.ctl.ask(context.Background(), func(now time.Time) {
		for range n {
			for _, l := range (watchdog{fx.ctl}).files() {
				l.bytes = 44
				l.call.fileLooked(l, now)
			}
		}
	})
	fx.settle()
}

// TestQueue: while a caller waits in a queue FreeSWITCH writes nothing. That is no
// problem, and the sidecar says so. When the talk goes on, a file that does not grow
// is one.
func TestQueue(t *testing.T) {
	for _, tc := range []struct {
		name     string
		ends     func(*queueCall)
		waits    int
		problems string
	}{
		{"an agent takes the call", func(q *queueCall) { q.a.Serve("support", q.agent()) }, 1, ""},
		{"the caller goes on in the dialplan", func(q *queueCall) { q.a.LeaveQueue("support") }, 1, ""},
		{"the caller hangs up", func(q *queueCall) {}, 1, ""},
		{"the disk fails when the talk goes on", func(q *queueCall) {
			q.a.Serve("support", q.agent())
			q.settle()
			q.look(4)
		}, 1, recording.NotGrowing},
		{"twice", func(q *queueCall) {
			q.a.LeaveQueue("support")
			q.settle()
			q.talk(second)
			q.queue("sales")
			q.a.Serve("sales", q.agent())
		}, 2, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fx := newFixture(t)
			drafts := make(chan recording.Sidecar, 4)
			fx.stop()
			fx.serve(Config{Policy: testPolicyOf(testPolicy(t)), Archive: finishingArchive{drafts: drafts}})
			q := &queueCall{fx, fx.inbound("+442079460001")}
			q.a.Answer()
			fx.settle()
			fx.talk(second)
			q.queue("support")
			fx.look(8)
			tc.ends(q)
			fx.settle()
			fx.talk(second)
			q.a.Hangup("")
			s := <-drafts
			waits := slices.DeleteFunc(slices.Clone(s.Spans), func(s recording.Span) bool { return s.WaitedMS == 0 })
			if len(waits) != tc.waits || strings.Join(s.Problems, "") != "" && tc.problems == "" || tc.problems != "" && !s.HasProblem(tc.problems) {
				t.Errorf("waits %+v, problems %q", waits, s.Problems)
			}
			for _, w := range waits {
				if w.State != recording.StateWaiting || w.FromMS != w.ToMS {
					t.Errorf("%+v", w)
				}
			}
		})
	}
}

// TestHeldFileMayRest: while the recorded phone holds the other party a file need not
// grow, and afterwards it has to. While the user's phone holds, the outside party hears
// music, which is written.
func TestHeldFileMayRest(t *testing.T) {
	for _, outside := range []bool{true, false} {
		fx := newFixture(t)
		a := fx.inbound("+442079460001")
		b := fx.ring(a, "1004")
		fx.answer(b)
		holds, while := b, 1
		if outside {
			holds, while = a, 0
		}
		holds.Hold()
		fx.settle()
		fx.look(8)
		if n := fx.meter.get("problem " + recording.NotGrowing); n != while {
			t.Errorf("the outside party holds %v: %d problems, want %d", outside, n, while)
		}
		holds.Unhold()
		fx.settle()
		fx.look(4)
		if n := fx.meter.get("problem " + recording.NotGrowing); n != 1 {
			t.Errorf("the outside party held %v: %d problems, want 1", outside, n)
		}
		a.Hangup("")
	}
}
