package call

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"tapedeck/call/keyfile"
	"tapedeck/esl/esltest"
)

// TestToldAhead: the legs are told "on" before speech is let into the file. If FreeSWITCH
// refuses that, they are told again what is (docs/design.md, section 12, rule 13).
func TestToldAhead(t *testing.T) {
	for _, tc := range []struct{ name, refuse, want string }{
		{"resumed", "", "a on, d on, unmask, a on, d on"},
		{"refused", "unmask", "a on, d on, unmask, a paused, d paused"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fx := newFixtureWith(t, pressPolicy(t))
			a := fx.inbound("+442079460001")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.pressCode(d)
			fx.wantState(a, "paused")
			said := fx.hear(map[*esltest.Channel]string{a: "a", d: "d"}, tc.refuse)
			fx.pressCode(d)
			if got := said(); got != tc.want {
				t.Errorf("the commands were\n%s, want\n%s", got, tc.want)
			}
		})
	}
}

// TestToldAheadInARoom: the legs of all calls in a room are told "on" before the first of
// its recordings goes on, and again what is when FreeSWITCH refuses.
func TestToldAheadInARoom(t *testing.T) {
	r := newRoom(t)
	one, two, dave := r.outside("+442079460001"), r.outside("+442079460001"), r.user("1004")
	r.pressCode(dave)
	r.states("paused", one, two, dave)
	said := r.hear(map[*esltest.Channel]string{one: "one", two: "two", dave: "dave"}, "unmask")
	r.pressCode(dave)
	r.states("paused", one, two, dave)
	before, _, _ := strings.Cut(said(), "unmask")
	told := strings.Split(strings.TrimSuffix(before, ", "), ", ")
	slices.Sort(told)
	if got := strings.Join(slices.Compact(told), ", "); got != "dave on, one on, two on" {
		t.Errorf("before the first unmask the legs were told %q", got)
	}
}

// hear notes what the legs are told by tapedeck_state, and the recording commands. Those
// whose verb is refuse fail.
func (fx *fixture) hear(names map[*esltest.Channel]string, refuse string) (said func() string) {
	fx.settle()
	byUUID := map[string]string{}
	for leg, name := range names {
		byUUID[leg.UUID()] = name
	}
	var mu sync.Mutex
	var all []string
	fx.sw.Fail(func(command, args string) (string, bool) {
		w := strings.Fields(args)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case command == "uuid_setvar" && len(w) == 3 && w[1] == "tapedeck_state":
			all = append(all, byUUID[w[0]]+" "+w[2])
		case command == "uuid_record" && !keyfile.Is(w[2]):
			all = append(all, w[1])
			return "-ERR no\n", w[1] == refuse
		}
		return "", false
	})
	return func() string {
		fx.settle()
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(all, ", ")
	}
}
