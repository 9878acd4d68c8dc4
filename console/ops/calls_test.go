package ops

import (
	"fmt"
	"testing"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/flow/flowtest"
	"tapedeck/store/calls"
)

const callPolicy = `
version: 1
organisations:
  acme:
    recording: true
    on_demand: { api: true }
    users:
      alice: { extension: "1001" }
      bob:   { extension: "1002" }
  beta:
    users: { dave: { extension: "1001" } }
`

// callAccounts are the accounts of the tests' visitors.
var callAccounts = map[string]access.Account{
	"root":  {Name: "root", Role: access.Operator},
	"anna":  {Name: "anna", Role: access.Organisation, Organisation: "acme"},
	"lisa":  {Name: "lisa", Role: access.Organisation, Organisation: "acme", Rights: []access.Right{access.See, access.Listen}},
	"alice": {Name: "alice", Role: access.User, Organisation: "acme", User: "alice"},
	"eve":   {Name: "eve", Role: access.Organisation, Organisation: "beta"},
}

// TestMayPress: what a visitor may do with a live call follows from the policy.
func TestMayPress(t *testing.T) {
	policy := flowtest.Policy(t, callPolicy)
	org := policy.Organisations["acme"]
	view := func(change func(c *calls.Call)) CallView {
		c := calls.Call{ID: "aaaa", Organisation: "acme", State: calls.On, Users: []string{"alice"}}
		change(&c)
		return callViewOf(&c)
	}
	may := func(account string, l2 CallView) string {
		seen, ok := l2.as(Visitor{Account: callAccounts[account]}, policy)
		if !ok {
			return "not seen"
		}
		return fmt.Sprint(seen.May)
	}
	plain := view(func(*calls.Call) {})
	locked := view(func(c *calls.Call) { c.Locked = true })
	for _, tc := range []struct {
		name    string
		change  func()
		account string
		call    CallView
		want    string
	}{
		{"on", nil, "anna", plain, "[pause]"},
		{"off", nil, "anna", view(func(c *calls.Call) { c.State = calls.Off }), "[start]"},
		{"paused", nil, "alice", view(func(c *calls.Call) { c.State = calls.Paused }), "[resume]"},
		{"no right", nil, "lisa", plain, "[]"},
		{"not his", nil, "eve", plain, "not seen"},
		{"not on it", nil, "alice", view(func(c *calls.Call) { c.Users = []string{"bob"} }), "not seen"},
		{"nobody on it", nil, "anna", view(func(c *calls.Call) { c.Users = nil }), "[]"},
		{"locked", nil, "anna", locked, "[]"},
		{"override", func() { org.Users["alice"].OnDemand = flow.Override }, "anna", locked, "[pause]"},
		{"disabled", func() { org.Users["alice"].OnDemand = flow.Disable }, "anna", plain, "[]"},
		{"not granted", func() { org.OnDemand.API = false }, "anna", plain, "[]"},
		{"no recording", func() { org.Recording = false }, "anna", plain, "[]"},
		{"no organisation", func() { delete(policy.Organisations, "acme") }, "root", plain, "[]"},
	} {
		if tc.change != nil {
			org.OnDemand.API, org.Recording, org.Users["alice"].OnDemand = true, true, flow.Enable
			tc.change()
		}
		if got := may(tc.account, tc.call); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}
