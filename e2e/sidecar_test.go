package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"

	"tapedeck/internal/testkit"
)

// sidecar is the description beside a recording (docs/design.md, section 8). It is
// not package recording's type: these tests read it as another program does.
type sidecar struct {
	Version                                                                int
	Call, Organisation, Direction, Switch, Anchor, Trigger, Previous, Next string
	Part                                                                   int
	Users                                                                  []string
	Started, Answered, Ended                                               time.Time
	File                                                                   *struct {
		Name, SHA256 string
		Bytes        int64
		DurationMS   int64 `json:"duration_ms"`
		Began        time.Time
		Channels     int
		Rate         int
		Parties      []string
	}
	Spans []struct {
		FromMS   int64 `json:"from_ms"`
		ToMS     int64 `json:"to_ms"`
		WaitedMS int64 `json:"waited_ms"`
		State    string
		Cause    struct{ Element, Setting, Toggle, User string }
	}
	Trace    []struct{ What, Method, User, Result, State, Element, Call string }
	Decided  struct{ Element, Setting, Toggle, User string }
	Complete bool
	Problems []string
}

// otherCall is the call that a note of the trace names; "" if there is no such note.
func (s sidecar) otherCall(what string) string {
	for _, n := range s.Trace {
		if n.What == what {
			return n.Call
		}
	}
	return ""
}

// How far a sidecar may be from the audio.
const (
	spanSlip    = 60 * time.Millisecond  // at an edge of a pause
	momentSlip  = 500 * time.Millisecond // at the call's answer and end
	describedIn = 10 * time.Second       // from the hangup until there is a sidecar
)

func sidecarPath(sound string) string { return strings.TrimSuffix(sound, ".wav") + ".json" }

// sidecarOf waits for the sidecar of a recording, and reads it.
func (t *talk) sidecarOf(sound string) sidecar {
	t.Helper()
	var s sidecar
	var text []byte
	testkit.Within(t, describedIn, "sidecar of "+sound, func() bool {
		var err error
		text, err = os.ReadFile(sidecarPath(sound))
		return err == nil
	})
	t.do(json.Unmarshal(text, &s))
	return s
}

// described asserts that the sidecar agrees with the call and with the audio.
func (r *take) described() {
	r.Helper()
	s := r.sidecarOf(r.Path)
	r.about = s
	if s.Version != 1 || s.Organisation != r.org.ID() || s.Switch != "fs1" || s.Anchor != r.anchor {
		r.Errorf("the sidecar is of version %d, %s, %s, leg %s; want 1, %s, fs1, leg %s", s.Version, s.Organisation, s.Switch, s.Anchor, r.org.ID(), r.anchor)
	}
	if late := s.Answered.Sub(r.answered); late.Abs() > momentSlip {
		r.Errorf("the sidecar says answered %v after FreeSWITCH", late)
	}
	if late := s.Ended.Sub(r.ended); late.Abs() > momentSlip && !r.problem("no stop event") && s.otherCall("dissolved") == "" { // a call that dissolves ends before its leg
		r.Errorf("the sidecar says ended %v after FreeSWITCH", late)
	}
	r.isFile(s)
	r.spansAgree(s)
	if unexpected := r.unexpected(s.Problems); len(unexpected) > 0 {
		r.Errorf("the recording has the problems %q", unexpected)
	}
	if !s.Complete && len(r.expects) == 0 {
		r.Errorf("the recording is not complete; problems %q", s.Problems)
	}
}

// problem reports whether the sidecar has a problem with this code.
func (r *take) problem(code string) bool {
	return slices.ContainsFunc(r.about.Problems, func(p string) bool { return isProblem(p, code) })
}

func isProblem(p, code string) bool { return p == code || strings.HasPrefix(p, code+":") }

// unexpected are the problems that the scenario did not cause on purpose.
func (t *talk) unexpected(problems []string) []string {
	return slices.DeleteFunc(slices.Clone(problems), func(p string) bool {
		return slices.ContainsFunc(t.expects, func(code string) bool { return isProblem(p, code) })
	})
}

// isFile asserts that the sidecar describes this file.
func (r *take) isFile(s sidecar) {
	r.Helper()
	data, err := os.ReadFile(r.Path)
	r.do(err)
	sum := sha256.Sum256(data)
	f := s.File
	if f == nil {
		r.Fatalf("the sidecar of %s says that there is no file; problems %q", r.Path, s.Problems)
	}
	length := time.Duration(f.DurationMS) * time.Millisecond
	if f.Bytes != int64(len(data)) || f.SHA256 != hex.EncodeToString(sum[:]) || f.Channels != r.Channels || f.Rate != r.Rate() ||
		!strings.HasSuffix(r.Path, "/"+f.Name) || (length-r.Length).Abs() > time.Millisecond {
		r.Errorf("the sidecar says %+v; the file is %s, %d bytes, %v, SHA-256 %x", *f, r.Path, len(data), r.Length, sum)
	}
}

// isSilent reports whether a span of this state is silent.
func isSilent(state string) bool { return state == "paused" || state == "waiting" }

// pauses are the spans that the sidecar calls paused or waiting, whoever made them.
// Spans that follow each other are one.
func (s sidecar) pauses() (found [][2]time.Duration) { return s.spansThat(isSilent) }

// made are the pauses that somebody has made.
func (s sidecar) made() (found [][2]time.Duration) {
	return s.spansThat(func(state string) bool { return state == "paused" })
}

func (s sidecar) spansThat(are func(state string) bool) (found [][2]time.Duration) {
	for _, span := range s.Spans {
		from, to := time.Duration(span.FromMS)*time.Millisecond, time.Duration(span.ToMS)*time.Millisecond
		switch n := len(found); {
		case !are(span.State) || to == from:
		case n > 0 && found[n-1][1] == from:
			found[n-1][1] = to
		default:
			found = append(found, [2]time.Duration{from, to})
		}
	}
	return found
}

// spansAgree asserts that the spans cover the file, that each silence in it is a
// paused span, and that there is no sound in a paused span.
func (r *take) spansAgree(s sidecar) {
	r.Helper()
	var end int64
	for _, span := range s.Spans {
		waited := span.State == "waiting" && span.WaitedMS > 0 // of which nothing is in the file
		if span.FromMS != end || span.ToMS <= span.FromMS && !waited || span.State != "recording" && !isSilent(span.State) {
			r.Errorf("there is a span %+v after %d ms", span, end)
		}
		end = span.ToMS
	}
	if left := r.Length - time.Duration(end)*time.Millisecond; left.Abs() > time.Millisecond && !r.problem("state unknown") {
		r.Errorf("the spans end at %d ms, the file at %v", end, r.Length)
	}
	said := s.pauses()
	for _, heard := range r.Silences(near) {
		away := r.Length
		for _, p := range said {
			away = min(away, max((p[0]-heard[0]).Abs(), (p[1]-heard[1]).Abs()))
		}
		r.suite.edges(away)
		if away > spanSlip {
			r.Errorf("the file is silent from %v to %v, the sidecar says paused in %v: off by %v; %s", heard[0], heard[1], said, away, r.Sound)
		}
	}
	for _, p := range said {
		if from, to := p[0]+spanSlip, p[1]-spanSlip; from < to && !r.SilentBetween(from, to) {
			r.Errorf("the sidecar says paused from %v to %v, there is sound: %s", p[0], p[1], r.Sound)
		}
	}
}

// edges notes how far a silence is from its paused span, for the summary.
func (s *suite) edges(away time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans++
	s.furthest = max(s.furthest, away)
}
