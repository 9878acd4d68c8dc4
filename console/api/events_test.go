package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/console"
	"tapedeck/console/api"
	"tapedeck/console/consoletest"
	"tapedeck/console/ops"
	"tapedeck/flow"
	"tapedeck/flow/flowtest"
	"tapedeck/internal/testkit"
	"tapedeck/store/calls"
)

// viewing is a stream of live calls that the test reads.
type viewing struct {
	*apiLab
	events chan string // "name data"; closed when the stream ends
	leave  func()
}

func (l *apiLab) view(c *http.Client) *viewing {
	l.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", l.URL+"/api/v1/calls/events", nil)
	if err != nil {
		l.Fatal(err)
	}
	c.Timeout = 0
	res, err := c.Do(r)
	if err != nil {
		l.Fatal(err)
	}
	if err := l.doc.check(res, ""); err != nil || res.StatusCode != 200 {
		l.Fatalf("%d: %v", res.StatusCode, err)
	}
	v := &viewing{l, make(chan string, 1000), cancel}
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

// next returns the next event.
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

// wants checks the next event: its name, and the ids and states in it.
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
	var all api.CallsView
	var one ops.CallView
	if err := json.Unmarshal([]byte(data), &all); err != nil {
		v.Fatalf("%s: %v", e, err)
	}
	if err := json.Unmarshal([]byte(data), &one); err != nil {
		v.Fatalf("%s: %v", e, err)
	}
	if name == "call" || name == "gone" {
		all.Calls = []ops.CallView{one}
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

// TestEvents: a visitor sees the changes of the calls that he may see, and of no others.
func TestEvents(t *testing.T) {
	l := newAPILab(t)
	views := map[string]*viewing{}
	for account, want := range map[string]string{
		"root": "calls aaaa:on cccc:on dddd:on", "anna": "calls aaaa:on cccc:on", "sue": "calls aaaa:on", "alice": "calls aaaa:on", "eve": "calls dddd:on",
	} {
		views[account] = l.view(l.Bearer(account))
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
	call.Draft = json.RawMessage(`{"x":1}`) // no visitor sees a draft
	l.save(call)
	call.Users = []string{"bob"}
	l.save(call)
	all(map[string]string{"root": "call aaaa:paused", "anna": "call aaaa:paused", "sue": "call aaaa:paused", "alice": "gone aaaa"})
	l.live("beta", nowhere, "dave")
	all(map[string]string{"root": "call eeee:on", "eve": "call eeee:on"})
	l.Store.Calls.End("beta", callDave)
	all(map[string]string{"root": "gone dddd", "eve": "gone dddd"})
	l.Store.Calls.End("acme", callAlice)
	all(map[string]string{"root": "gone aaaa", "anna": "gone aaaa", "sue": "gone aaaa"})
	l.live("acme", callAlice, "alice", "sales")
	all(map[string]string{"root": "call aaaa:on", "anna": "call aaaa:on", "sue": "call aaaa:on", "alice": "call aaaa:on"})
}

// TestEventsPolicy: when a new policy lets a visitor see other calls, his stream has
// them.
func TestEventsPolicy(t *testing.T) {
	var policy atomic.Pointer[flow.Policy]
	l := newAPILab(t, func(c *console.Config) {
		policy.Store(c.Policy())
		c.Policy, c.Beat = policy.Load, 10*time.Millisecond
	})
	v := l.view(l.Bearer("north"))
	v.wants("calls aaaa:on cccc:on")
	text := strings.ReplaceAll(strings.ReplaceAll(consoletest.PolicyText, "brand: north", "brand: west"), "brand: south", "brand: north")
	policy.Store(flowtest.Policy(t, text))
	v.wants("calls dddd:on")
}

// TestEventsEnd: a stream ends with its session or its token, and when its account has
// changed.
func TestEventsEnd(t *testing.T) {
	l := newAPILab(t, func(c *console.Config) { c.Beat = 10 * time.Millisecond })
	out := l.view(l.As("sue"))
	session, token, rights, stays := l.view(l.As("anna")), l.view(l.Bearer("eve")), l.view(l.Bearer("lisa")), l.view(l.Bearer("root"))
	for _, v := range []*viewing{out, session, token, rights, stays} {
		v.next()
	}
	if _, err := l.Store.Sessions.EndAll(t.Context(), "sue"); err != nil {
		t.Fatal(err)
	}
	out.ends()
	l.WriteAccounts(map[string]string{
		"root": consoletest.AccountsText["root"], "sue": consoletest.AccountsText["sue"], "lisa": "role: organisation, organisation: acme, rights: [see]",
	})
	session.ends()
	token.ends()
	rights.ends()
	l.live("beta", nowhere, "dave")
	stays.wants("call eeee:on")
}

// TestEventsHostile: an event is one line, whatever the name of a caller is.
func TestEventsHostile(t *testing.T) {
	l := newAPILab(t)
	for i, name := range []string{"x\ndata: y\n\nevent: calls", "\r\n\r\n", "\u2028", "</script><script>alert(1)</script>", "\x00"} {
		id := fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)
		l.save(calls.Call{ID: id, Organisation: "beta", External: name, Number: name, State: calls.On, Started: labDay, Because: calls.Cause{User: name}})
		defer l.Store.Calls.End("beta", id)
	}
	v := l.view(l.Bearer("eve"))
	e := v.next()
	if !strings.HasPrefix(e, "calls {") || strings.ContainsAny(e, "\n\r\x00<>") {
		t.Errorf("%q", e)
	}
	l.Store.Calls.End("beta", callDave)
	v.wants("gone dddd")
}

// TestEventsBounds: an account cannot have all the streams.
func TestEventsBounds(t *testing.T) {
	l := newAPILab(t)
	first := l.view(l.Bearer("anna"))
	for range 19 {
		l.view(l.Bearer("anna"))
	}
	if _, text := l.wants(503, "anna", "GET", "/api/v1/calls/events", ""); code(t, text) != "too_many" {
		t.Error(text)
	}
	l.view(l.Bearer("sue")).wants("calls aaaa:on")
	first.leave()
	testkit.Until(l, "there is room for another stream", func() bool {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, "GET", l.URL+"/api/v1/calls/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := l.Bearer("anna").Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode == 200
	})
}
