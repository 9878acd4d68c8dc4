package flow

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	const all = "number/+442079460001:yes ring_group/sales:dont-care application/ivr:no user/alice:yes"
	for _, test := range []struct {
		name       string
		precedence Precedence
		unrecorded bool
		chain      string
		want       string
	}{
		{name: "nobody", chain: "", want: "not recorded, because no element says yes or force"},
		{name: "dont-care", chain: "number/1:dont-care user/bob:dont-care", want: `
number/1  dont-care  changes nothing: dont-care
user/bob  dont-care  changes nothing: dont-care
not recorded, because no element says yes or force`},
		{name: "last", chain: all, want: `
number/+442079460001  yes        turns recording on
ring_group/sales      dont-care  changes nothing: dont-care
application/ivr       no         turns recording off
user/alice            yes        turns recording on
recorded, because user/alice says yes`},
		{name: "first", precedence: First, chain: all, want: `
number/+442079460001  yes        turns recording on
ring_group/sales      dont-care  changes nothing: dont-care
application/ivr       no         changes nothing: first explicit setting was number/+442079460001 (yes)
user/alice            yes        changes nothing: first explicit setting was number/+442079460001 (yes)
recorded, because number/+442079460001 says yes`},
		{name: "lock", chain: "number/1:force user/alice:no user/alice:yes", want: `
number/1    force  turns recording on and locks it
user/alice  no     changes nothing: locked by number/1 (force)
user/alice  yes    changes nothing: locked by number/1 (force)
recorded, because number/1 says force`},
		{name: "lock under first", precedence: First, chain: "number/1:no ring_group/g:force user/alice:no application/x:never", want: `
number/1       no     keeps recording off
ring_group/g   force  turns recording on and locks it
user/alice     no     changes nothing: locked by ring_group/g (force)
application/x  never  turns recording off and locks it
not recorded, because application/x says never`},
		{name: "the same again", chain: "number/1:yes user/alice:yes user/bob:force user/bob:force", want: `
number/1    yes    turns recording on
user/alice  yes    keeps recording on
user/bob    force  keeps recording on and locks it
user/bob    force  keeps recording on and locks it
recorded, because user/bob says force`},
		{name: "organisation without recording", unrecorded: true, chain: "number/1:force user/alice:dont-care", want: `
number/1    force      changes nothing: the organisation has recording: false
user/alice  dont-care  changes nothing: the organisation has recording: false
not recorded, because the organisation has recording: false`},
	} {
		got := Explain(test.precedence, !test.unrecorded, chainOf(t, test.chain)).String()
		if want := strings.TrimPrefix(test.want, "\n") + "\n"; got != want {
			t.Errorf("%s:\n%swant\n%s", test.name, got, want)
		}
	}
}

func TestExplainJSON(t *testing.T) {
	x := Explain(Last, true, chainOf(t, "number/1:force user/alice:no"))
	got, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"precedence":"last","recording":true,"chain":[` +
		`{"element":"number/1","setting":"force","effect":"turns recording on and locks it","on":true,"locked":true},` +
		`{"element":"user/alice","setting":"no","effect":"changes nothing: locked by number/1 (force)","on":true,"locked":true}],` +
		`"recorded":true,"locked":true,"decider":"number/1","verdict":"recorded, because number/1 says force"}`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestExplainAgrees: an explanation is what Resolve does, after every element.
func TestExplainAgrees(t *testing.T) {
	property(t, func(r *rand.Rand, p Precedence) (bool, string) {
		chain := randomChain(r, everySetting...)
		x := Explain(p, true, chain)
		for i, line := range x.Lines {
			before, e := Resolve(p, chain[:i]), Resolve(p, chain[:i+1])
			nothing := strings.HasPrefix(line.Effect, "changes nothing")
			if line.On != e.On || line.Locked != e.Locked || nothing && before != e {
				return false, fmt.Sprint(chain[:i+1], line)
			}
		}
		e := Resolve(p, chain)
		return x.Recorded == e.On && x.Locked == e.Locked && x.Decider == e.Decider &&
			strings.HasPrefix(x.Verdict, "recorded") == e.On, fmt.Sprint(chain, x.Verdict)
	})
}
