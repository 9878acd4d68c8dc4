package api_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/console"
	"tapedeck/console/consoletest"
	"tapedeck/console/ops"
	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/store/index"
	"tapedeck/toggle"
)

// apiLab is a lab with recordings and live calls. Its answers are compared with the
// OpenAPI document.
type apiLab struct {
	*consoletest.Lab
	calls *apiCalls
	doc   *apiDoc
}

// The recordings and live calls of an apiLab: of acme with alice through the group sales,
// of acme with carol through support, of beta with dave. Nothing has the id nowhere.
const (
	recAlice = "aaaaaaaa-0000-4000-8000-000000000001"
	recCarol = "cccccccc-0000-4000-8000-000000000002"
	recDave  = "dddddddd-0000-4000-8000-000000000003"

	callAlice = "aaaaaaaa-0000-4000-8000-00000000000a"
	callCarol = "cccccccc-0000-4000-8000-00000000000c"
	callDave  = "dddddddd-0000-4000-8000-00000000000d"

	nowhere = "eeeeeeee-0000-4000-8000-00000000000e"
)

var labDay = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func newAPILab(t *testing.T, change ...func(*console.Config)) *apiLab {
	t.Helper()
	l := &apiLab{calls: &apiCalls{}, doc: readAPIDoc(t)}
	l.Lab = consoletest.New(t, append(change, func(c *console.Config) { c.Presser = l.calls })...)
	l.calls.live = l.Store.Calls
	l.record(labSidecar("acme", recAlice, "alice", "sales"))
	l.record(labSidecar("acme", recCarol, "carol", "support"))
	l.record(labSidecar("beta", recDave, "dave"))
	l.live("acme", callAlice, "alice", "sales")
	l.live("acme", callCarol, "carol", "support")
	l.live("beta", callDave, "dave")
	return l
}

// labSidecar is a call of two seconds, paused in its second half.
func labSidecar(organisation, call, user string, groups ...string) recording.Sidecar {
	s := recording.Sidecar{
		Version: recording.Version, Call: call, Organisation: organisation, Direction: "inbound", External: "02079460999", Number: "+442079460001",
		Users: []string{user}, Switch: "fs1", Anchor: call, Started: labDay, Answered: labDay, Ended: labDay.Add(2 * time.Second),
		Trigger: "automatic", Decided: recording.Cause{Element: "number/+442079460001", Setting: "yes"}, Complete: true,
		File: &recording.File{Name: call + ".wav", Channels: 2, Rate: 8000, DurationMS: 2000, Began: labDay, Stopped: labDay.Add(2 * time.Second)},
		Spans: []recording.Span{
			{FromMS: 0, ToMS: 1000, State: recording.StateRecording, Cause: recording.Cause{Element: "number/+442079460001", Setting: "yes"}},
			{FromMS: 1000, ToMS: 2000, State: recording.StatePaused, Cause: recording.Cause{Toggle: "dtmf", User: user}},
		},
		Trace: []recording.Note{{At: labDay, What: "entered", Element: "number/+442079460001", Setting: "yes"}},
	}
	for _, g := range groups {
		s.Trace = append(s.Trace, recording.Note{At: labDay, What: "entered", Element: "ring_group/" + g, Setting: "dont-care"})
	}
	return s
}

// labSound is the WAV of a labSidecar: stereo, and silent while it is paused.
func labSound() []byte {
	var data []byte
	for i := range 2 * 8000 {
		value := int16(i * 97 % 20000)
		if i >= 8000 {
			value = 0
		}
		data = binary.LittleEndian.AppendUint16(data, uint16(value))
		data = binary.LittleEndian.AppendUint16(data, uint16(value/2))
	}
	return testkit.WAV(2, 8000, data)
}

// record puts a recording on the disk and into the index.
func (l *apiLab) record(s recording.Sidecar) index.Recording {
	l.Helper()
	path, err := s.Path(l.Dir)
	if err != nil {
		l.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.Fatal(err)
	}
	if s.File != nil {
		data := labSound()
		sum := sha256.Sum256(data)
		s.File.Bytes, s.File.SHA256 = int64(len(data)), hex.EncodeToString(sum[:])
		if err := os.WriteFile(path, data, 0o644); err != nil {
			l.Fatal(err)
		}
	}
	if err := recording.WriteSidecar(recording.SidecarPath(path), s); err != nil {
		l.Fatal(err)
	}
	return l.index(s)
}

// index puts what a sidecar says into the index.
func (l *apiLab) index(s recording.Sidecar, change ...func(*index.Recording)) index.Recording {
	l.Helper()
	path, err := s.Path(l.Dir)
	if err != nil {
		l.Fatal(err)
	}
	rel, err := filepath.Rel(l.Dir.String(), path)
	if err != nil {
		l.Fatal(err)
	}
	r := index.Recording{ID: s.ID(), Organisation: s.Organisation, Call: s.Call, Part: s.Part, Path: rel, Direction: s.Direction,
		External: s.External, Number: s.Number, Users: s.Users, Trigger: s.Trigger, RequestedBy: s.RequestedBy, Started: s.Started,
		Ended: s.Ended, PausedMS: 1000, Complete: s.Complete, Problems: s.Problems, Held: s.Hold != nil}
	if s.File != nil {
		r.DurationMS, r.Bytes, r.SHA256 = s.File.DurationMS, s.File.Bytes, s.File.SHA256
	}
	for _, n := range s.Trace {
		if e, err := flow.ParseElement(n.Element); err == nil && e.Kind == flow.RingGroup {
			r.Groups = append(r.Groups, e.ID)
		}
	}
	for _, c := range change {
		c(&r)
	}
	l.Store.Index.Save(r)
	testkit.Until(l, "the index is written", func() bool { return l.Store.Index.Queued() == 0 })
	return r
}

// live puts a live call into the store.
func (l *apiLab) live(organisation, id, user string, groups ...string) {
	l.Helper()
	c := calls.Call{ID: id, Organisation: organisation, Direction: flow.Inbound, Switch: "fs1", Leg: id, Anchor: id, State: calls.On,
		Users: []string{user}, Started: labDay, Answered: labDay.Add(time.Second), Since: labDay.Add(time.Second), External: "02079460999",
		Number: "+442079460001", Because: calls.Cause{Element: "number/+442079460001", Setting: "yes"}}
	for _, g := range groups {
		c.Chain = append(c.Chain, flow.Step{Element: flow.Element{Kind: flow.RingGroup, ID: g}})
	}
	l.save(c)
}

func (l *apiLab) save(c calls.Call) {
	l.Helper()
	l.Store.Calls.Save(c)
	testkit.Until(l, "the call is written", func() bool { return l.Store.Calls.Queued() == 0 })
}

// who is a client with the token of an account; "" has no token.
func (l *apiLab) who(account string) *http.Client {
	if account == "" {
		return l.Client()
	}
	return l.Bearer(account)
}

// ask returns the answer to a request of an account, after comparing it with the
// document.
func (l *apiLab) ask(account, method, path, body string, headers ...string) (*http.Response, string) {
	l.Helper()
	if body != "" && !strings.Contains(strings.Join(headers, "\n"), "Content-Type") {
		headers = append(headers, "Content-Type: application/json")
	}
	res, text := l.Do(l.who(account), method, path, body, headers...)
	if err := l.doc.check(res, text); err != nil {
		l.Errorf("%s %s as %q: %d: %v\n%.500s", method, path, account, res.StatusCode, err, text)
	}
	return res, text
}

// wants is ask, and checks the status.
func (l *apiLab) wants(status int, account, method, path, body string, headers ...string) (*http.Response, string) {
	l.Helper()
	res, text := l.ask(account, method, path, body, headers...)
	if res.StatusCode != status {
		l.Errorf("%s %s as %q: %d, want %d\n%.500s", method, path, account, res.StatusCode, status, text)
	}
	return res, text
}

// code returns the code of a problem.
func code(t *testing.T, text string) string {
	t.Helper()
	var p struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Errorf("no problem: %v: %.200s", err, text)
	}
	return p.Code
}

// apiCalls obeys presses on the calls of the store.
type apiCalls struct {
	live  *calls.Store
	mu    sync.Mutex
	err   error    // the answer to the next press
	asked []string // "call user account action"
}

func (c *apiCalls) Press(ctx context.Context, id, user, account string, action ops.Action) (calls.State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, strings.Join([]string{id, cmp.Or(user, "-"), account, string(action)}, " "))
	if c.err != nil {
		return "", c.err
	}
	live, err := c.live.List(ctx)
	if err != nil {
		return "", err
	}
	for _, call := range live {
		if call.ID != id {
			continue
		}
		switch {
		case action == ops.Pause, action == ops.Toggle && call.State == calls.On:
			call.State = calls.Paused
		default:
			call.State = calls.On
		}
		c.live.Save(call)
		return call.State, nil
	}
	return "", toggle.ErrNoCall
}

func (c *apiCalls) answer(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err, c.asked = err, nil
}

func (c *apiCalls) was() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.asked, "; ")
}

// indexEntry is an entry of the index without files.
func indexEntry(s recording.Sidecar, i int) index.Recording {
	return index.Recording{ID: s.ID(), Organisation: s.Organisation, Call: s.Call, Path: s.Organisation + "/2026/11/20/" + s.ID() + ".wav",
		Direction: s.Direction, Users: s.Users, Started: s.Started.Add(time.Duration(i) * time.Second)}
}
