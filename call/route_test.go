package call

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"tapedeck/call/handover"
	"tapedeck/flow"
)

// TestFolded: a folded chain has the same result as the whole one, under both
// precedences, whoever leaves and whatever is entered afterwards; and repeats do not
// make it longer.
func TestFolded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var steps []step
	for s := flow.DontCare; s <= flow.Never; s++ {
		for _, id := range []string{"a", "b"} {
			steps = append(steps, step{Step: flow.Step{Element: flow.Element{Kind: flow.Application, ID: id}, Setting: s}},
				step{flow.Step{Element: flow.Element{Kind: flow.User, ID: id}, Setting: s}, "leg-" + id})
		}
	}
	for range 5000 {
		some := make([]step, 2+r.IntN(4)) // few, so that much is repeated
		for i := range some {
			some[i] = steps[r.IntN(len(steps))]
		}
		var whole, short []step
		for range 40 {
			if r.IntN(8) == 0 { // a user leaves
				gone := "leg-" + string("ab"[r.IntN(2)])
				whole = slices.DeleteFunc(whole, func(p step) bool { return p.leg == gone })
				short = slices.DeleteFunc(short, func(p step) bool { return p.leg == gone })
			} else {
				step := some[r.IntN(len(some))]
				whole, short = append(whole, step), folded(append(short, step))
			}
			if len(short) > 2*len(some) {
				t.Fatalf("%d steps of %d kinds: %v", len(short), len(some), short)
			}
			for _, p := range []flow.Precedence{flow.Last, flow.First} {
				got, want := flow.Resolve(p, (&route{passed: short}).chain()), flow.Resolve(p, (&route{passed: whole}).chain())
				if got != want {
					t.Fatalf("precedence %v: %+v, want %+v\nfolded %v\nwhole  %v", p, got, want, short, whole)
				}
			}
		}
	}
}

// TestLongWayRound: a caller goes round in an IVR, which enters the same elements
// again and again, or thousands of different ones. Then a user takes the call and
// pauses, before and after a restart of Tapedeck.
func TestLongWayRound(t *testing.T) {
	const rounds = 2000
	for name, round := range map[string]func(int) string{
		"the same elements": func(i int) string { return []string{"application/reception", "application/survey"}[i%2] },
		"always others":     func(i int) string { return "application/menu-" + strconv.Itoa(i) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := pressPolicy(t)
			fx := newFixtureWith(t, policy)
			a := fx.inbound("+442079460001")
			fx.ctl.ask(t.Context(), func(now time.Time) {
				for i := range rounds {
					fx.ctl.calls[a.UUID()].enterElement(round(i), now)
				}
			})
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.waitState(a, "on")
			fx.pressCode(d)
			fx.wantState(a, "paused")
			fx.restart(policy, func() {})
			fx.pressCode(d)
			fx.waitState(a, "on")
			if n := fx.meter.get("adopted failed"); n != 0 {
				t.Errorf("%d calls not taken over", n)
			}
			if n := len(fx.log.Lines("very many elements")); n > 1 {
				t.Errorf("the log says so %d times", n)
			}
		})
	}
}

// TestTooLongForALeg: a snapshot that is too long for the leg makes no command fail.
func TestTooLongForALeg(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.waitState(a, "on")
	fx.ctl.ask(t.Context(), func(now time.Time) {
		c := fx.ctl.calls[a.UUID()]
		for i := range 2000 {
			c.route.passed = append(c.route.passed, step{Step: flow.Step{Element: flow.Element{Kind: flow.Application, ID: strconv.Itoa(i)}, Setting: flow.Yes}})
		}
	})
	fx.pressCode(d)
	fx.wantState(a, "paused")
	if left := a.Get(handover.Variable); left != "" {
		t.Errorf("what was true once is still on the leg: %d bytes", len(left))
	}
	fx.pressCode(d)
	fx.wantState(a, "on")
	if n := len(fx.log.Lines("very many elements")); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
}
