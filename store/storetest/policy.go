package storetest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"tapedeck/flow"
)

// Policy makes a policy of some organisations that all bear its number.
func Policy(t testing.TB, number, organisations, users int) *flow.Policy {
	t.Helper()
	mark := strconv.Itoa(number)
	p := &flow.Policy{Version: flow.Version, Region: "GB", Organisations: map[string]*flow.Organisation{}}
	if number%2 == 1 {
		p.Precedence = flow.First
	}
	for i := range organisations {
		id := fmt.Sprintf("org-%d", i)
		o := &flow.Organisation{
			Name: mark, Domains: []string{id + ".example.net"}, Recording: true, Retention: time.Hour,
			Numbers:      map[string]*flow.NumberEntry{fmt.Sprintf("+4420794600%02d", i): {Record: flow.Settings{flow.Yes}, Route: flow.Element{Kind: flow.RingGroup, ID: "sales"}}},
			RingGroups:   map[string]*flow.RingGroupEntry{"sales": {Members: []string{"user-0"}}},
			Applications: map[string]*flow.ApplicationEntry{"version-" + mark: {Record: flow.Settings{flow.No, flow.Force}}},
			Users:        map[string]*flow.UserEntry{},
		}
		for u := range users {
			o.Users[fmt.Sprintf("user-%d", u)] = &flow.UserEntry{Extension: strconv.Itoa(1000 + u), Record: flow.Settings{flow.Setting((u + number) % 5)}}
		}
		p.Organisations[id] = o
	}
	if err := p.Compile(); err != nil {
		t.Fatal(err)
	}
	return p
}
