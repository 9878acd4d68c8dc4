package console

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/flow"
	"tapedeck/flow/flowtest"
	"tapedeck/store/calls"
)

// viewing is a stream of live calls that somebody reads.
type viewing struct {
	*apiLab
	events chan string // "name data"; closed when the stream ends
}

func (l *apiLab) view(c *http.Client) *viewing {
	l.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", l.url+"/api/v1/calls/events", nil)
	if err != nil {
		l.Fatal(err)
	}
	c.Timeout = 0
	res, err := c.Do(r)
	if err != nil {
		l.Fatal(err)
	}
	if err := l.doc.check(l.server.mux, res, ""); err != nil || res.StatusCode != 200 {
		l.Fatalf("%d: %v", res.StatusCode, err)
	}
	v := &viewing{l, make(chan string, 1000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer res.Body.Close()
		defer close(v.events)
		v.read(bufio.NewReader(res.Body))
	}()
	l.Cleanup(func() { cancel(); <-ended })
	return v
}

func (v *viewing) read(in *bufio.Reader) {
	name := ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\n")
		if text, ok := strings.CutPrefix(line, "event: "); ok {
			name = text
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			v.events <- name + " " + data
		}
	}
}

// next is the next event.
func (v *viewing) next() string {
	v.Helper()
	select {
	case e, ok := <-v.events:
		if !ok {
			v.Fatal("the stream has ended")
		}
		return e
	case <-time.After(time.Minute):
		v.Fatal("no event within a minute")
	}
	return ""
}

// wants is the next event: its name, and the ids and states that it has.
func (v *viewing) wants(want string) {
	v.Helper()
	e := v.next()
	name, data, _ := strings.Cut(e, " ")
	schema := map[string]string{"calls": "LiveCalls", "call": "LiveCall"}[name]
	if schema != "" {
		if err := v.doc.validate([]string{"components", "schemas", schema}, data); err != nil {
			v.Errorf("%s: %v", e, err)
		}
	}
	var all callsView
	var one liveView
	if err := json.Unmarshal([]byte(data), &all); err != nil {
		v.Fatalf("%s: %v", e, err)
	}
	if err := json.Unmarshal([]byte(data), &one); err != nil {
		v.Fatalf("%s: %v", e, err)
	}
	if name == "call" || name == "gone" {
		all.Calls = []liveView{one}
	}
	for _, c := range all.Calls {
		name += fmt.Sprintf(" %.4s", c.ID)
		if c.State != "" {
			name += ":" + string(c.State)
		}
	}
	if name != want {
		v.Errorf("%s, want %s", name, want)
	}
}

// ends waits for the end of the stream.
func (v *viewing) ends() {
	v.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case _, ok := <-v.events:
			if !ok {
				return
			}
		case <-limit:
			v.Fatal("the stream goes on")
		}
	}
}

// TestEvents: everybody sees what happens to the calls that he may see, and no
// other.
func TestEvents(t *testing.T) {
	l := newAPILab(t)
	views := map[string]*viewing{}
	for account, want := range map[string]string{
		"root": "calls aaaa:on cccc:on dddd:on", "anna": "calls aaaa:on cccc:on", "sue": "calls aaaa:on", "alice": "calls aaaa:on", "eve": "calls dddd:on",
	} {
		views[account] = l.view(l.bearer(account))
		views[account].wants(want)
	}
	all := func(wants map[string]string) {
		t.Helper()
		for account, want := range wants {
			views[account].wants(want)
		}
	}
	call := calls.Call{ID: callAlice, Organisation: "acme", State: calls.Paused, Users: []string{"alice"}, Started: labDay,
		Chain: flow.Chain{{Element: flow.Element{Kind: flow.RingGroup, ID: "sales"}}}}
	l.save(call)
	all(map[string]string{"root": "call aaaa:paused", "anna": "call aaaa:paused", "sue": "call aaaa:paused", "alice": "call aaaa:paused"})
	call.Draft = json.RawMessage(`{"x":1}`) // nothing that anybody sees
	l.save(call)
	call.Users = []string{"bob"}
	l.save(call)
	all(map[string]string{"root": "call aaaa:paused", "anna": "call aaaa:paused", "sue": "call aaaa:paused", "alice": "gone aaaa"})
	l.live("beta", nowhere, "dave")
	all(map[string]string{"root": "call eeee:on", "eve": "call eeee:on"})
	l.store.EndCall("beta", callDave)
	all(map[string]string{"root": "gone dddd", "eve": "gone dddd"})
	l.store.EndCall("acme", callAlice)
	all(map[string]string{"root": "gone aaaa", "anna": "gone aaaa", "sue": "gone aaaa"})
	l.live("acme", callAlice, "alice", "sales")
	all(map[string]string{"root": "call aaaa:on", "anna": "call aaaa:on", "sue": "call aaaa:on", "alice": "call aaaa:on"})
}

// TestEventsPolicy: when the policy says that somebody may see other calls, his
// stream follows.
func TestEventsPolicy(t *testing.T) {
	var policy atomic.Pointer[flow.Policy]
	l := newAPILab(t, func(c *Config) {
		policy.Store(c.Policy())
		c.Policy = policy.Load
	})
	l.server.hub.beat = 10 * time.Millisecond
	v := l.view(l.bearer("north"))
	v.wants("calls aaaa:on cccc:on")
	text := strings.ReplaceAll(strings.ReplaceAll(labPolicy, "brand: north", "brand: west"), "brand: south", "brand: north")
	policy.Store(flowtest.Policy(t, text))
	v.wants("calls dddd:on")
}

// TestEventsEnd: a stream ends with the session or the token that it is seen by,
// and when the account is not any more what it was.
func TestEventsEnd(t *testing.T) {
	l := newAPILab(t)
	l.server.hub.beat = 10 * time.Millisecond
	out := l.view(l.as("sue"))
	session, token, rights, stays := l.view(l.as("anna")), l.view(l.bearer("eve")), l.view(l.bearer("lisa")), l.view(l.bearer("root"))
	for _, v := range []*viewing{out, session, token, rights, stays} {
		v.next()
	}
	if _, err := l.store.DropSessions(t.Context(), "sue"); err != nil {
		t.Fatal(err)
	}
	out.ends()
	l.writeAccounts(map[string]string{
		"root": labAccounts["root"], "sue": labAccounts["sue"], "lisa": "role: organisation, organisation: acme, rights: [see]",
	})
	session.ends()
	token.ends()
	rights.ends()
	l.live("beta", nowhere, "dave")
	stays.wants("call eeee:on")
	l.until("the others have left", func() bool {
		l.server.hub.mu.Lock()
		defer l.server.hub.mu.Unlock()
		return len(l.server.hub.viewers) == 1
	})
}

// TestStream: what a viewer is sent from one picture to the next.
func TestStream(t *testing.T) {
	l := newAPILab(t)
	a, _, _ := l.server.cfg.Accounts.Account("anna")
	st := &stream{visit: &visit{account: a}, shown: map[string]bool{}, show: func(l liveView) any { return l }}
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
	other := *l.policy
	for i, tc := range []struct {
		p      *picture
		policy *flow.Policy
		want   []string
	}{
		{nil, l.policy, nil},
		{at(5, false, "a1:on", "b1:on"), l.policy, []string{"calls a1:on"}},
		{at(6, false, "a1:on", "b1:off"), l.policy, nil},
		{at(7, false, "a1:off", "b1:off", "a2:on"), l.policy, []string{"call a1:off", "call a2:on"}},
		{at(8, true, "a1:off", "b1:off", "a2:on"), l.policy, []string{"away"}},
		{at(9, true, "a1:off", "b1:off", "a2:on"), l.policy, nil},
		{at(10, false, "a2:on"), l.policy, []string{"calls a2:on"}},
		{at(12, false, "a2:on", "a3:on"), l.policy, []string{"call a3:on"}}, // 11 was missed
		{at(13, false, "a3:paused"), l.policy, []string{"call a3:paused", "gone a2"}},
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

// shortEvent is an event's name, and the ids and states in it.
func shortEvent(t *testing.T, text string) string {
	t.Helper()
	head, data, _ := strings.Cut(text, "\n")
	var all struct {
		callsView
		liveView
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(data, "data: ")), &all); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out := strings.TrimPrefix(head, "event: ")
	if all.ID != "" {
		all.Calls = []liveView{all.liveView}
	}
	for _, c := range all.Calls {
		out += " " + strings.TrimSuffix(c.ID+":"+string(c.State), ":")
	}
	return out
}

// TestEventsHostile: whatever callers call themselves, an event is one line.
func TestEventsHostile(t *testing.T) {
	l := newAPILab(t)
	for i, name := range []string{"x\ndata: y\n\nevent: calls", "\r\n\r\n", "\u2028", "</script><script>alert(1)</script>", "\x00"} {
		id := fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)
		l.save(calls.Call{ID: id, Organisation: "beta", External: name, Number: name, State: calls.On, Started: labDay, Because: calls.Cause{User: name}})
		defer l.store.EndCall("beta", id)
	}
	v := l.view(l.bearer("eve"))
	e := v.next()
	if !strings.HasPrefix(e, "calls {") || strings.ContainsAny(e, "\n\r\x00<>") {
		t.Errorf("%q", e)
	}
	l.store.EndCall("beta", callDave)
	v.wants("gone dddd")
}
