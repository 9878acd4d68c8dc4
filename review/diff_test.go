package review

import (
	"strings"
	"testing"

	"tapedeck/flow"
	"tapedeck/flow/flowtest"
)

// TestChanges: each kind of change is one line, and nothing else is.
func TestChanges(t *testing.T) {
	before := flowtest.Policy(t, `version: 1
organisations:
  acme:
    name: Acme
    domains: [a.example.net]
    retention: 90d
    on_demand: { dtmf: "*1" }
    numbers: { "+442079460001": { record: yes }, "+442079460002": { record: { outbound: force } } }
    ring_groups: { sales: { members: [alice, bob] }, gone: {} }
    users: { alice: { extension: "1001", on_demand: disable }, bob: {} }
  old: { users: { zoe: {} } }
  same: { users: { zoe: { record: yes } } }
`)
	after := flowtest.Policy(t, `version: 1
region: GB
precedence: first
organisations:
  acme:
    name: Acme Ltd
    domains: [a.example.net, b.example.net]
    recording: false
    disclaimer: { play: d.wav, to: both }
    on_demand: { dtmf: "*2", record_key: true }
    numbers: { "+442079460001": { record: { inbound: no, outbound: yes, internal: yes } }, "+442079460002": {} }
    ring_groups: { sales: { members: [alice] } }
    applications: { ivr: { record: { internal: never } }, survey: {} }
    users: { alice: { extension: "1009" }, bob: { on_demand: override } }
  new: { users: { zoe: {}, yves: {} } }
  same: { users: { zoe: { record: yes } } }
`)
	want := `policy: precedence: last → first
policy: region: nothing → GB
acme: disclaimer play: nothing → d.wav
acme: disclaimer to: nothing → both
acme: domains: a.example.net → a.example.net b.example.net
acme: name: Acme → Acme Ltd
acme: on_demand dtmf: *1 → *2
acme: on_demand record_key: nothing → true
acme: recording: true → false
acme: retention: 2160h0m0s → nothing
acme: application/ivr: added: record internal never
acme: application/survey: added
acme: number/+442079460001: record inbound: yes → no
acme: number/+442079460002: record outbound: force → dont-care
acme: ring_group/gone: removed
acme: ring_group/sales: members: alice bob → alice
acme: user/alice: extension: 1001 → 1009
acme: user/alice: on_demand: disable → enable
acme: user/bob: on_demand: enable → override
new: organisation added, elements: 2
old: organisation removed, elements: 1`
	for _, c := range []struct {
		name          string
		before, after *flow.Policy
		want          string
	}{
		{"all", before, after, want},
		{"none", after, after, ""},
		{"first", &flow.Policy{Version: flow.Version}, flowtest.Policy(t, "version: 1\norganisations: { acme: { numbers: { \"+442079460001\": { record: yes } } } }\n"), "acme: organisation added, elements: 1"},
	} {
		lines, err := Changes(c.before, c.after)
		if got := strings.Join(lines, "\n"); err != nil || got != c.want {
			t.Errorf("%s: %v\ngot\n%s\nwant\n%s", c.name, err, got, c.want)
		}
	}
}
