package e2e

import (
	"cmp"
	"fmt"
	"strings"

	"tapedeck/e2e/lab"
)

// settings is an organisation of the policy: the `record:` of each of its elements,
// where "" is dont-care.
type settings struct {
	off                      bool           // recording: false
	domain                   string         // of its users, if it is not Org.Domain
	numbers                  map[int]string // by the number's index, lab.ToAlice...
	team                     string         // the ring group; so is "sales" of the sample dialplan
	welcome, reception, desk string         // applications
	alice, bob               string
	onDemand                 string            // what the organisation grants, as in the policy file
	may                      map[string]string // user's on_demand, by user
	more                     string            // further lines of the organisation
}

// yaml is the organisation in the policy file.
func (s settings) yaml(o lab.Org) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	record := func(indent, key, value string) {
		say("%s%s: { record: %s }", indent, key, cmp.Or(value, "dont-care"))
	}
	say("  %s:", o.ID())
	say("    domains: [%s]", cmp.Or(s.domain, o.Domain()))
	say("    recording: %v", !s.off)
	if s.onDemand != "" {
		say("    on_demand: { %s }", s.onDemand)
	}
	if s.more != "" {
		say("    %s", s.more)
	}
	say("    numbers:")
	for k := lab.ToRoom; k <= lab.LastNumber; k++ {
		record("      ", fmt.Sprintf("%q", o.Number(k)), s.numbers[k])
	}
	say("    ring_groups:")
	record("      ", "team", s.team)
	record("      ", "sales", s.team)
	say("    applications:")
	record("      ", "welcome", s.welcome)
	record("      ", "reception", s.reception)
	record("      ", "desk", s.desk)
	say("    users:")
	for _, u := range []struct {
		id     string
		person lab.Person
		record string
	}{{"alice", lab.UserAlice, s.alice}, {"bob", lab.UserBob, s.bob}, {"carol", lab.UserCarol, ""}, {"dave", lab.UserDave, ""}} {
		say("      %s: { extension: %q, record: %s, on_demand: %s }", u.id, o.Extension(u.person), cmp.Or(u.record, "dont-care"), cmp.Or(s.may[u.id], "enable"))
	}
	return b.String()
}

// policyHead is what comes before the organisations.
const policyHead = "version: 1\nregion: GB\nprecedence: last\norganisations:\n"

// policyFile is the whole policy: one organisation for each scenario.
func policyFile(scenarios []scenario) string {
	var b strings.Builder
	b.WriteString(policyHead)
	for i, s := range scenarios {
		b.WriteString(s.settings.yaml(lab.Org(i)))
	}
	return b.String()
}
