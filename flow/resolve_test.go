package flow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var precedences = []Precedence{Last, First}

// chainOf reads "number/+44:yes user/alice:no".
func chainOf(t *testing.T, text string) (chain Chain) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		element, setting, _ := strings.Cut(word, ":")
		e, err := ParseElement(element)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseSetting(setting)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, Step{e, s})
	}
	return chain
}

// state writes an effective state: "on", "off!" (locked) and who decided.
func state(e Effective) string {
	text := "off"
	if e.On {
		text = "on"
	}
	if e.Locked {
		text += "!"
	}
	return text + " by " + e.Decider.String()
}

// TestRules is rules 1 and 2 of docs/design.md, section 2, and what follows from
// rule 4 for the chains that the caller hands in.
func TestRules(t *testing.T) {
	for _, test := range []struct{ name, chain, last, first string }{
		{"1 starts off, decided by nobody", "", "off by nobody", ""},
		{"1 dont-care leaves it", "number/1:dont-care ring_group/g:dont-care user/a:dont-care", "off by nobody", ""},
		{"1 yes is on", "number/1:yes", "on by number/1", ""},
		{"1 no is off", "number/1:no", "off by number/1", ""},
		{"1 dont-care after yes", "number/1:yes user/a:dont-care", "on by number/1", ""},
		{"1 dont-care before yes", "number/1:dont-care user/a:yes", "on by user/a", ""},
		{"1 dont-care after no", "number/1:no user/a:dont-care", "off by number/1", ""},
		{"1 no after yes", "number/1:yes ring_group/g:no", "off by ring_group/g", "on by number/1"},
		{"1 yes after no", "number/1:no ring_group/g:yes", "on by ring_group/g", "off by number/1"},
		{"1 yes after yes", "number/1:yes ring_group/g:yes", "on by ring_group/g", "on by number/1"},
		{"1 no after no", "number/1:no ring_group/g:no", "off by ring_group/g", "off by number/1"},
		{"1 yes, no, yes", "number/1:yes application/x:no user/a:yes", "on by user/a", "on by number/1"},
		{"1 no, yes, no", "number/1:no application/x:yes user/a:no", "off by user/a", "off by number/1"},
		{"1 dont-care first does not count as first", "number/1:dont-care ring_group/g:no user/a:yes", "on by user/a", "off by ring_group/g"},
		{"2 force is on and locked", "number/1:force", "on! by number/1", ""},
		{"2 never is off and locked", "number/1:never", "off! by number/1", ""},
		{"2 no does not unlock", "number/1:force user/a:no", "on! by number/1", ""},
		{"2 yes does not unlock", "number/1:never user/a:yes", "off! by number/1", ""},
		{"2 yes does not take a lock over", "number/1:force user/a:yes", "on! by number/1", ""},
		{"2 dont-care does not unlock", "number/1:force user/a:dont-care", "on! by number/1", ""},
		{"2 never changes force", "number/1:force user/a:never", "off! by user/a", ""},
		{"2 force changes never", "number/1:never user/a:force", "on! by user/a", ""},
		{"2 force takes force over", "number/1:force user/a:force", "on! by user/a", ""},
		{"2 force, never, force", "number/1:force ring_group/g:never user/a:force", "on! by user/a", ""},
		{"2 no between locks", "number/1:force ring_group/g:no user/a:never", "off! by user/a", ""},
		{"2 force after no", "number/1:no user/a:force", "on! by user/a", ""},
		{"2 never after yes", "number/1:yes user/a:never", "off! by user/a", ""},
		{"4 alice answers: her no counts", "number/1:yes user/alice:no", "off by user/alice", "on by number/1"},
		{"4 transferred to bob: alice's no is gone", "number/1:yes user/bob:dont-care", "on by number/1", ""},
		{"4 transferred to carol: her yes is asked", "number/1:dont-care user/carol:yes", "on by user/carol", ""},
		{"4 from alice's yes to bob's dont-care", "number/1:dont-care user/bob:dont-care", "off by nobody", ""},
		{"4 the lock of a user who left is gone", "number/1:no user/bob:yes", "on by user/bob", "off by number/1"},
		{"4 the group stays", "number/1:no ring_group/g:yes user/bob:dont-care", "on by ring_group/g", "off by number/1"},
		{"4 the application stays", "number/1:yes application/x:never user/bob:yes", "off! by application/x", ""},
	} {
		if test.first == "" {
			test.first = test.last
		}
		chain := chainOf(t, test.chain)
		if got := state(Resolve(Last, chain)); got != test.last {
			t.Errorf("%s, last: %s, want %s", test.name, got, test.last)
		}
		if got := state(Resolve(First, chain)); got != test.first {
			t.Errorf("%s, first: %s, want %s", test.name, got, test.first)
		}
	}
}

// rulesPolicy has another setting in every direction.
const rulesPolicy = `
version: 1
region: GB
precedence: %s
organisations:
  acme:
    numbers:
      "+442079460001": { record: { inbound: yes, outbound: no, internal: force } }
      "+442079460002": { record: { inbound: never, outbound: force } }
      "+442079460003": {}
    users:
      alice: { record: { inbound: no, outbound: yes, internal: no } }
      bob: { record: { inbound: dont-care, outbound: no, internal: yes } }
      carol: { record: never }
  quiet:
    recording: false
    numbers: { "+442079460099": { record: force } }
`

// TestRulesByDirection is rule 3: which elements a call's chain holds in each
// direction, and that each is asked for its setting in that direction.
func TestRulesByDirection(t *testing.T) {
	for _, test := range []struct {
		direction   Direction
		elements    string
		last, first string
	}{
		{Inbound, "number/+442079460001", "on by number/+442079460001", ""},
		{Inbound, "number/+442079460001 user/alice", "off by user/alice", "on by number/+442079460001"},
		{Inbound, "number/+442079460001 user/bob", "on by number/+442079460001", ""},
		{Inbound, "number/+442079460001 user/carol", "off! by user/carol", ""},
		{Inbound, "number/+442079460002 user/alice", "off! by number/+442079460002", ""},
		{Inbound, "number/+442079460003 user/bob", "off by nobody", ""},
		{Inbound, "number/+442079460003 user/alice", "off by user/alice", ""},
		{Outbound, "user/alice", "on by user/alice", ""},
		{Outbound, "user/alice number/+442079460001", "off by number/+442079460001", "on by user/alice"},
		{Outbound, "user/alice number/+442079460003", "on by user/alice", ""},
		{Outbound, "user/bob number/+442079460001", "off by number/+442079460001", "off by user/bob"},
		{Outbound, "user/bob number/+442079460002", "on! by number/+442079460002", ""},
		{Outbound, "user/carol number/+442079460002", "on! by number/+442079460002", ""},
		{Outbound, "user/carol number/+442079460001", "off! by user/carol", ""},
		{Internal, "user/alice user/bob", "on by user/bob", "off by user/alice"},
		{Internal, "user/bob user/alice", "off by user/alice", "on by user/bob"},
		{Internal, "user/bob user/carol", "off! by user/carol", ""},
		{Internal, "user/carol user/bob", "off! by user/carol", ""},
	} {
		for _, precedence := range precedences {
			want := test.last
			if precedence == First && test.first != "" {
				want = test.first
			}
			o := parsed(t, fmt.Sprintf(rulesPolicy, precedence)).Organisations["acme"]
			var chain Chain
			for _, name := range strings.Fields(test.elements) {
				e, err := ParseElement(name)
				if err != nil {
					t.Fatal(err)
				}
				in, ok := o.Inheritance(e)
				if !ok || in.Precedence != precedence || !in.Recording {
					t.Fatalf("Inheritance(%s) = %+v, %t", e, in, ok)
				}
				chain = append(chain, in.Step(test.direction))
			}
			if got := state(Resolve(precedence, chain)); got != want {
				t.Errorf("%s %s, %s: %s, want %s", test.direction, test.elements, precedence, got, want)
			}
		}
	}
}

// TestRuleFive: an organisation with recording: false is told apart in every
// element's inheritance, and no force helps.
func TestRuleFive(t *testing.T) {
	o := parsed(t, fmt.Sprintf(rulesPolicy, Last)).Organisations["quiet"]
	in, ok := o.Inheritance(Element{Number, "+442079460099"})
	if !ok || in.Recording {
		t.Fatalf("Inheritance = %+v, %t, want one that is not to be recorded", in, ok)
	}
	x := Explain(in.Precedence, in.Recording, Chain{in.Step(Inbound)})
	if x.Recorded || x.Locked || x.Decider != (Element{}) {
		t.Errorf("explained as recorded: %+v", x)
	}
}

// randomChain has up to eight elements, of few names, so that some come twice.
func randomChain(r *rand.Rand, among ...Setting) Chain {
	chain := make(Chain, r.IntN(9))
	kinds := []Kind{Number, RingGroup, Application, User}
	for i := range chain {
		chain[i] = Step{Element{kinds[r.IntN(len(kinds))], fmt.Sprint(r.IntN(4))}, among[r.IntN(len(among))]}
	}
	return chain
}

var everySetting = []Setting{DontCare, Yes, No, Force, Never}

// property runs a check on many chains under both precedences.
func property(t *testing.T, check func(r *rand.Rand, p Precedence) (ok bool, what string)) {
	t.Helper()
	for seed := range uint64(20_000) {
		for _, p := range precedences {
			if ok, what := check(rand.New(rand.NewPCG(seed, 1)), p); !ok {
				t.Fatalf("seed %d, precedence %s: %s", seed, p, what)
			}
		}
	}
}

func TestDontCareAnywhereChangesNothing(t *testing.T) {
	property(t, func(r *rand.Rand, p Precedence) (bool, string) {
		chain := randomChain(r, everySetting...)
		more := slices.Insert(slices.Clone(chain), r.IntN(len(chain)+1), Step{Element{User, "x"}, DontCare})
		return Resolve(p, chain) == Resolve(p, more), fmt.Sprint(chain, " and ", more)
	})
}

func TestALockIsChangedByLocksAlone(t *testing.T) {
	property(t, func(r *rand.Rand, p Precedence) (bool, string) {
		chain := randomChain(r, everySetting...)
		lock := []Setting{Force, Never}[r.IntN(2)]
		locked := append(chain, Step{Element{Number, "lock"}, lock})
		want := Effective{lock == Force, true, Element{Number, "lock"}, lock}
		soft := append(slices.Clone(locked), randomChain(r, DontCare, Yes, No)...)
		if Resolve(p, soft) != want {
			return false, fmt.Sprint(soft)
		}
		// And by the last of several locks, whatever stands between.
		any := append(slices.Clone(locked), randomChain(r, everySetting...)...)
		for _, step := range any[len(locked):] {
			if step.Setting == Force || step.Setting == Never {
				want = Effective{step.Setting == Force, true, step.Element, step.Setting}
			}
		}
		return Resolve(p, any) == want, fmt.Sprint(any)
	})
}

func TestPrecedencesAgreeOnOneExplicitSetting(t *testing.T) {
	property(t, func(r *rand.Rand, _ Precedence) (bool, string) {
		chain := randomChain(r, DontCare, Force, Never)
		if r.IntN(4) > 0 {
			chain = slices.Insert(chain, r.IntN(len(chain)+1), Step{Element{User, "x"}, []Setting{Yes, No}[r.IntN(2)]})
		}
		return Resolve(Last, chain) == Resolve(First, chain), fmt.Sprint(chain)
	})
}

// TestPrecedence is rule 1 said otherwise: without locks, the last explicit
// setting counts, or the first.
func TestPrecedence(t *testing.T) {
	property(t, func(r *rand.Rand, p Precedence) (bool, string) {
		chain := randomChain(r, DontCare, Yes, No)
		explicit := slices.DeleteFunc(slices.Clone(chain), func(s Step) bool { return s.Setting == DontCare })
		if len(explicit) == 0 {
			return Resolve(p, chain) == Effective{}, fmt.Sprint(chain)
		}
		decides := explicit[len(explicit)-1]
		if p == First {
			decides = explicit[0]
		}
		want := Effective{On: decides.Setting == Yes, Decider: decides.Element, Setting: decides.Setting}
		return Resolve(p, chain) == want, fmt.Sprint(chain)
	})
}

// TestCouldEnd compares with asking every explicit setting of the set, and every
// sequence of two and three of them.
func TestCouldEnd(t *testing.T) {
	property(t, func(r *rand.Rand, p Precedence) (bool, string) {
		chain := randomChain(r, everySetting...)
		ahead := SettingSet(r.IntN(1 << settings))
		explicit := slices.DeleteFunc(ahead.Settings(), func(s Setting) bool { return s == DontCare })
		got := Resolve(p, chain).CouldEnd(p, ahead)
		want, further := turnsOff(p, chain, explicit, 1), turnsOff(p, chain, explicit, 3)
		return got == want && got == further, fmt.Sprintf("%v ahead %v: %t, want %t and %t", chain, ahead.Settings(), got, want, further)
	})
}

func turnsOff(p Precedence, chain Chain, ahead []Setting, depth int) bool {
	for _, s := range ahead {
		next := append(slices.Clone(chain), Step{Element{User, "next"}, s})
		if !Resolve(p, next).On || depth > 1 && turnsOff(p, next, ahead, depth-1) {
			return true
		}
	}
	return false
}
