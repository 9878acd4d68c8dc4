package web_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tapedeck/console"
	"tapedeck/console/consoletest"
	"tapedeck/console/ops"
	"tapedeck/console/web"
	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	wav "tapedeck/recording/sound"
	"tapedeck/store/calls"
	"tapedeck/store/index"
	"tapedeck/toggle"
)

// lab is a console with recordings and live calls of all kinds.
type lab struct{ *consoletest.Lab }

func newLab(t *testing.T, change ...func(*console.Config)) *lab {
	t.Helper()
	return &lab{consoletest.New(t, change...)}
}

// labRecording is a recording to be put into a lab.
type labRecording struct {
	side   recording.Sidecar
	groups []string
	long   time.Duration
	silent []recording.Span // pauses
}

// put writes a recording's files, lists it and returns its id.
func (l *lab) put(r labRecording) string {
	l.Helper()
	s := r.side
	s.Version, s.Switch, s.Complete = recording.Version, "fs1", len(s.Problems) == 0
	if s.Ended.IsZero() {
		s.Ended = s.Started.Add(r.long + 7*time.Second)
	}
	path, err := s.Path(l.Dir)
	if err != nil {
		l.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.Fatal(err)
	}
	if r.long > 0 {
		l.sound(&s, path, r)
	}
	if err := recording.WriteSidecar(recording.SidecarPath(path), s); err != nil {
		l.Fatal(err)
	}
	entry := index.Recording{ID: s.ID(), Organisation: s.Organisation, Call: s.Call, Part: s.Part, Direction: s.Direction,
		External: s.External, Number: s.Number, Users: s.Users, Groups: r.groups, Trigger: s.Trigger, RequestedBy: s.RequestedBy,
		Started: s.Started, Ended: s.Ended, Complete: s.Complete, Problems: s.Problems, Held: s.Hold != nil}
	if entry.Path, err = filepath.Rel(l.Dir.String(), path); err != nil {
		l.Fatal(err)
	}
	if s.File != nil {
		entry.DurationMS, entry.Bytes, entry.SHA256, entry.PausedMS = s.File.DurationMS, s.File.Bytes, s.File.SHA256, web.PausedMS(s.Spans)
	}
	l.Store.Index.Save(entry)
	return entry.ID
}

// sound writes a WAV of both parties talking in turn, silent in its pauses.
func (l *lab) sound(s *recording.Sidecar, path string, r labRecording) {
	l.Helper()
	file := conversation(r.long, r.silent)
	if err := os.WriteFile(path, file, 0o644); err != nil {
		l.Fatal(err)
	}
	heard, err := wav.Analyse(l.Context(), bytes.NewReader(file), int64(len(file)))
	if err != nil {
		l.Fatal(err)
	}
	began := s.Answered
	if began.IsZero() {
		began = s.Started
	}
	s.File = &recording.File{Name: filepath.Base(path), Bytes: heard.Bytes, SHA256: heard.SHA256, DurationMS: heard.DurationMS,
		Channels: heard.Channels, Rate: heard.Rate, Began: began, Stopped: began.Add(r.long)}
	at := int64(0)
	spoken := func(to int64) {
		if to > at {
			s.Spans = append(s.Spans, recording.Span{FromMS: at, ToMS: to, State: recording.StateRecording, Cause: s.Decided})
		}
	}
	for _, p := range r.silent {
		spoken(p.FromMS)
		p.State = recording.StatePaused
		s.Spans = append(s.Spans, p)
		at = p.ToMS
	}
	spoken(heard.DurationMS)
}

// conversation is a stereo WAV of 8 kHz in which two voices take turns.
func conversation(long time.Duration, silent []recording.Span) []byte {
	const rate = 8000
	n := int(long.Milliseconds()) * rate / 1000
	var pcm []byte
	random := rand.New(rand.NewPCG(1, uint64(n)))
	turn, until, loud := 0, 0, 0.0
	for i := range n {
		if i >= until {
			turn, until, loud = 1-turn, i+rate/3+random.IntN(3*rate), 0.25+0.6*random.Float64()
		}
		voice := [2]int16{int16(random.IntN(41) - 20), int16(random.IntN(41) - 20)}
		t := float64(i) / rate
		syllable := math.Abs(math.Sin(2*math.Pi*2.3*t+float64(turn))) * (0.55 + 0.45*math.Sin(2*math.Pi*0.37*t))
		voice[turn] += int16(14000 * loud * syllable * math.Sin(2*math.Pi*(150+60*float64(turn))*t))
		for _, s := range silent {
			if ms := int64(i) * 1000 / rate; ms >= s.FromMS && ms < s.ToMS {
				voice = [2]int16{}
			}
		}
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(voice[0]))
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(voice[1]))
	}
	return testkit.WAV(2, rate, pcm)
}

// labID is the n-th id of a lab's calls.
func labID(n int) string { return fmt.Sprintf("%08x-6b1f-4c52-9d3e-0123456789ab", 0x3f2a7c10+n*7919) }

// settled waits until all that was saved is in Redis.
func (l *lab) settled() {
	l.Helper()
	testkit.Until(l, "everything is written to Redis", func() bool { return l.Store.Index.Queued() == 0 && l.Store.Calls.Queued() == 0 })
}

// showcase is the recording with everything: pauses of several makers, a locked
// number, a refused switch, a transfer.
func showcase(n int, at time.Time) labRecording {
	element := recording.Cause{Element: "number/+442079460001", Setting: "yes"}
	s := recording.Sidecar{
		Call: labID(n), Organisation: "acme", Direction: "inbound", External: "+441632960077", Number: "+442079460001",
		Users: []string{"alice", "bob"}, Started: at, Answered: at.Add(6 * time.Second), Trigger: "automatic", Decided: element, Anchor: labID(n + 5000),
	}
	note := func(after time.Duration, n recording.Note) { n.At = at.Add(after); s.Trace = append(s.Trace, n) }
	note(12*time.Millisecond, recording.Note{What: "entered", Element: "number/+442079460001", Setting: "yes"})
	note(40*time.Millisecond, recording.Note{What: "entered", Element: "ring_group/sales", Setting: "dont-care"})
	note(6*time.Second, recording.Note{What: "entered", Element: "user/alice", Setting: "yes"})
	note(6*time.Second+30*time.Millisecond, recording.Note{What: "told", State: "on"})
	note(7*time.Second, recording.Note{What: "disclaimer", Result: "heard", User: "outside party"})
	note(18*time.Second, recording.Note{What: "pressed", Method: "dtmf", User: "alice", Result: "ok"})
	note(18*time.Second+20*time.Millisecond, recording.Note{What: "told", State: "paused"})
	note(26*time.Second, recording.Note{What: "pressed", Method: "dtmf", User: "alice", Result: "ok"})
	note(26*time.Second+20*time.Millisecond, recording.Note{What: "told", State: "on"})
	note(33*time.Second, recording.Note{What: "left", Element: "user/alice"})
	note(34*time.Second, recording.Note{What: "entered", Element: "user/bob", Setting: "dont-care"})
	note(40*time.Second, recording.Note{What: "pressed", Method: "record_key", User: "bob", Result: "user_disabled"})
	note(46*time.Second, recording.Note{What: "pressed", Method: "api", User: "bob", By: "anna", Result: "ok"})
	note(46*time.Second+20*time.Millisecond, recording.Note{What: "told", State: "paused"})
	return labRecording{side: s, groups: []string{"sales"}, long: 62 * time.Second, silent: []recording.Span{
		{FromMS: 12_040, ToMS: 20_010, Cause: recording.Cause{Toggle: "dtmf", User: "alice"}},
		{FromMS: 40_020, ToMS: 52_000, SlackMS: 240, Cause: recording.Cause{Toggle: "api", User: "bob", By: "anna"}},
		{FromMS: 57_000, ToMS: 57_900, Cause: recording.Cause{Toggle: "record_key", User: "bob"}},
	}}
}

// hostile are names and numbers that a caller may send.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "שלום 02-555-0199", "\u202e+44 evil\u202c", "anonymous", "",
	"sip:a-very-long-user-name-that-somebody-chose-without-any-space-in-it@a-very-long-domain.example.net",
}

// fill puts recordings of all kinds into a lab, of which ten are one of each at least.
func (l *lab) fill(now time.Time, many int) (first string) {
	l.Helper()
	users := [][]string{{"alice"}, {"bob"}, {"alice", "bob"}, {"carol"}, {}}
	first = l.put(showcase(0, now.Add(-9*time.Minute)))
	for n := 1; n < many; n++ {
		at := now.Add(-time.Duration(n*n*11+n*37) * time.Minute).Add(-time.Duration(n*13) * time.Second)
		s := recording.Sidecar{
			Call: labID(n), Organisation: "acme", Direction: []string{"inbound", "outbound", "inbound", "internal"}[n%4],
			External: fmt.Sprintf("+4416329600%02d", n), Number: "+442079460001", Users: users[n%5], Started: at, Answered: at.Add(4 * time.Second),
			Trigger: "automatic", Decided: recording.Cause{Element: "number/+442079460001", Setting: "yes"},
			Trace: []recording.Note{{At: at, What: "entered", Element: "number/+442079460001", Setting: "yes"}},
		}
		r := labRecording{long: time.Duration(20+n%7) * time.Second / 10, groups: []string{"sales"}}
		l.vary(n, &s, &r)
		r.side = s
		l.put(r)
	}
	l.settled()
	return first
}

// vary gives a recording what makes it special.
func (l *lab) vary(n int, s *recording.Sidecar, r *labRecording) {
	switch n % 9 {
	case 1:
		s.Trigger, s.RequestedBy, s.Decided = "on-demand", "alice", recording.Cause{Toggle: "dtmf", User: "alice"}
	case 2:
		r.silent = []recording.Span{{FromMS: 500, ToMS: 1700, Cause: recording.Cause{Toggle: "record_key", User: "bob"}}}
	case 3:
		s.External, s.Users = hostile[n/9%len(hostile)], append([]string{hostile[(n/9+1)%len(hostile)]}, s.Users...)
	case 4:
		s.Problems = []string{"lost: the switch was restarted", "speech in a pause: 1.2 s at 0:44"}
	case 5:
		s.Hold = &recording.Hold{By: "anna", Reason: "case 4711, complaint of Mrs <b>Smith</b>", At: s.Started.Add(time.Hour)}
	case 6:
		s.Problems = []string{"not started: disk full", "disk", "unconfirmed"}
		r.long = 0
	case 7:
		s.Organisation, s.Number, s.Users = "beta", "+442079460101", []string{"dave"}
	case 8:
		s.Part, s.Previous = 2, s.Call+".wav"
	}
	if s.Direction == "internal" {
		s.External = "1002"
	}
}

// calls puts live calls into a lab.
func (l *lab) calls(now time.Time) {
	l.Helper()
	call := func(n int, c calls.Call) {
		c.ID, c.Leg, c.Switch = labID(900+n), labID(900+n), "fs1"
		c.Started = now.Add(-time.Duration(n*83) * time.Second)
		if c.State != calls.Off || n%2 == 0 {
			c.Answered = c.Started.Add(5 * time.Second)
		}
		c.Since = now.Add(-time.Duration(n*41) * time.Second)
		l.Store.Calls.Save(c)
	}
	number := calls.Cause{Element: "number/+442079460001", Setting: "yes"}
	call(1, calls.Call{Organisation: "acme", Direction: flow.Inbound, External: "+441632960011", Number: "+442079460001", Users: []string{"alice"}, State: calls.On, Because: number})
	call(2, calls.Call{Organisation: "acme", Direction: flow.Outbound, External: "+441632960012", Number: "+442079460001", Users: []string{"bob"}, State: calls.Paused, Because: calls.Cause{Toggle: "dtmf", User: "bob"}})
	call(3, calls.Call{Organisation: "acme", Direction: flow.Inbound, External: hostile[0], Number: "+442079460001", State: calls.Off})
	call(4, calls.Call{Organisation: "acme", Direction: flow.Internal, External: "1002", Number: "", Users: []string{"alice", "bob"}, State: calls.Off})
	call(5, calls.Call{Organisation: "acme", Direction: flow.Inbound, External: hostile[6], Number: "+442079460001", Users: []string{"carol"}, State: calls.On, Locked: true, Because: calls.Cause{Element: "number/+442079460001", Setting: "force"}})
	call(40, calls.Call{Organisation: "beta", Direction: flow.Inbound, External: "+4915123456789", Number: "+442079460101", Users: []string{"dave"}, State: calls.Paused, Because: calls.Cause{Toggle: "api", User: "dave", By: "eve"}})
	l.settled()
}

// labCalls switches the live calls of a lab's store, as a Tapedeck would that
// always obeys.
type labCalls struct{ l *lab }

func (c labCalls) Press(ctx context.Context, id, user, account string, action ops.Action) (calls.State, error) {
	live, err := c.l.Store.Calls.List(ctx)
	if err != nil {
		return "", err
	}
	for _, call := range live {
		if call.ID != id {
			continue
		}
		if call.Locked {
			return "", toggle.Refusal("locked")
		}
		call.State = calls.On
		if action == ops.Pause {
			call.State = calls.Paused
		}
		call.Since, call.Because = time.Now(), calls.Cause{Toggle: "api", User: user, By: account}
		c.l.Store.Calls.Save(call)
		return call.State, nil
	}
	return "", toggle.ErrNoCall
}

// auditSome puts lines of all kinds into the audit log.
func (l *lab) auditSome(now time.Time, id string) {
	l.Helper()
	for n, w := range web.AuditWords {
		line := audit.Line{At: now.Add(time.Duration(n-60) * time.Minute), Who: "anna", What: w.Key, Organisation: "acme", From: "192.0.2.17"}
		switch w.Key {
		case audit.SignIn, audit.SignOut:
		case audit.SignInFailed:
			line.Who, line.Detail = "", "no such account"
		case audit.Export:
			line.Detail = "list, 1204 recordings"
		case audit.Hold:
			line.Recording, line.Detail = id, hostile[0]+" and a reason that is rather long, because people write whatever they like into such a field"
		default:
			line.Recording, line.Detail = id, ""
		}
		if err := l.Audit.Add(line); err != nil {
			l.Fatal(err)
		}
	}
}

// damage changes one sample of a recording's file.
func (l *lab) damage(id string) {
	l.Helper()
	entry, err := l.Store.Index.Find(l.Context(), id)
	if err != nil {
		l.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(l.Dir.String(), entry.Path), os.O_RDWR, 0)
	if err != nil {
		l.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{1}, 4711); err != nil {
		l.Fatal(err)
	}
}
