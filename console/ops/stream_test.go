package ops

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tapedeck/flow"
	"tapedeck/flow/flowtest"
	"tapedeck/store/calls"
)

// TestStream: the events that a viewer gets from one picture to the next.
func TestStream(t *testing.T) {
	policy := flowtest.Policy(t, callPolicy)
	st := &Stream{visitor: Visitor{Account: callAccounts["anna"]}, shown: map[string]bool{}, show: func(c CallView) any { return c }}
	var before []liveEntry
	at := func(serial int64, away bool, words ...string) *picture {
		p := &picture{serial: serial, away: away}
		var list []calls.Call
		for _, c := range words {
			id, state, _ := strings.Cut(c, ":")
			organisation := "acme"
			if strings.HasPrefix(id, "b") {
				organisation = "beta"
			}
			list = append(list, calls.Call{ID: id, Organisation: organisation, State: calls.State(state)})
		}
		p.calls, _ = entriesOf(list, before, serial)
		before = p.calls
		return p
	}
	other := *policy
	for i, tc := range []struct {
		p      *picture
		policy *flow.Policy
		want   []string
	}{
		{nil, policy, nil},
		{at(5, false, "a1:on", "b1:on"), policy, []string{"calls a1:on"}},
		{at(6, false, "a1:on", "b1:off"), policy, nil},
		{at(7, false, "a1:off", "b1:off", "a2:on"), policy, []string{"call a1:off", "call a2:on"}},
		{at(8, true, "a1:off", "b1:off", "a2:on"), policy, []string{"away"}},
		{at(9, true, "a1:off", "b1:off", "a2:on"), policy, nil},
		{at(10, false, "a2:on"), policy, []string{"calls a2:on"}},
		{at(12, false, "a2:on", "a3:on"), policy, []string{"call a3:on"}}, // the viewer has missed 11
		{at(13, false, "a3:paused"), policy, []string{"call a3:paused", "gone a2"}},
		{at(14, false, "a3:paused"), &other, []string{"calls a3:paused"}},
		{at(15, false), &other, []string{"gone a3"}},
	} {
		text := string(st.append(nil, tc.p, tc.policy))
		var got []string
		for _, e := range strings.Split(strings.TrimSpace(text), "\n\n") {
			if e != "" {
				got = append(got, shortEvent(t, e))
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%d: %q, want %q", i, got, tc.want)
		}
		if again := st.append(nil, tc.p, tc.policy); len(again) > 0 {
			t.Errorf("%d: twice: %s", i, again)
		}
	}
}

// shortEvent returns the name of an event, and the ids and states in it.
func shortEvent(t *testing.T, text string) string {
	t.Helper()
	head, data, _ := strings.Cut(text, "\n")
	var all struct {
		Calls []CallView `json:"calls"`
		CallView
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(data, "data: ")), &all); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out := strings.TrimPrefix(head, "event: ")
	if all.ID != "" {
		all.Calls = []CallView{all.CallView}
	}
	for _, c := range all.Calls {
		out += " " + strings.TrimSuffix(c.ID+":"+string(c.State), ":")
	}
	return out
}
