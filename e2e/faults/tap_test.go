package faults

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// tap records the commands that the switch gets, and from which instance.
type tap struct {
	mu        sync.Mutex
	prompts   []prompt
	wanted    map[string]time.Time // by path: when the switch was first told to record
	starts    map[string]time.Time // by path: when the recording last started on an empty file
	stopped   map[string]time.Time
	rewritten []string        // files with audio that a new recording has overwritten
	commands  []recordCommand // recording commands on watch links
	owners    []owned
	lives     map[string]string // by owner id: the instance's name
	claims    map[claim]int64   // the highest token that was sent with each
	note      func(format string, args ...any)
}

// prompt is a prompt that was played to a phone.
type prompt struct {
	at   time.Time
	leg  string
	name string
}

// recordCommand is a recording command of an instance.
type recordCommand struct {
	at             time.Time
	by, call, line string
	id             string // owner id of the instance's process; "" if not known yet
	token          int64  // the highest token with which it has claimed the call before
}

// claim is a call and the owner id that a snapshot of it names.
type claim struct{ owner, call string }

// owned is a snapshot that the switch got: it names the owner of a call.
type owned struct {
	at          time.Time
	call, owner string
	token       int64
}

func newTap(note func(string, ...any)) *tap {
	return &tap{lives: map[string]string{}, claims: map[claim]int64{}, wanted: map[string]time.Time{}, starts: map[string]time.Time{}, stopped: map[string]time.Time{}, note: note}
}

// carriedOut is for esltest's Fail: it notes every command and fails none.
func (t *tap) carriedOut(command, args string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	switch command {
	case "uuid_displace":
		if w := strings.Fields(args); len(w) > 2 && w[1] == "start" {
			t.prompts = append(t.prompts, prompt{now, w[0], strings.TrimSuffix(filepath.Base(w[2]), ".wav")})
			t.note("switch: prompt %s to %.8s", filepath.Base(w[2]), w[0])
		}
	case "uuid_record":
		if w := strings.Fields(args); len(w) > 2 && !isMarker(w[2]) {
			t.recorded(now, w[1], w[2])
		}
	case "app/record_session":
		if w := strings.Fields(args); len(w) > 0 && !isMarker(w[0]) {
			t.recorded(now, "start", w[0])
		}
	case "app/record_session_mask":
		t.note("switch: mask %s", filepath.Base(args))
	case "uuid_setvar":
		if w := strings.Fields(args); len(w) == 3 && w[1] == "tapedeck_live" {
			t.snapshot(now, w[2])
		}
	case "app/set":
		if text, is := strings.CutPrefix(args, "tapedeck_live="); is {
			t.snapshot(now, text)
		}
	}
	return "", false
}

func isMarker(path string) bool { return strings.Contains(path, "/.keys/") }

func (t *tap) recorded(now time.Time, verb, path string) {
	t.note("switch: %s %s", verb, filepath.Base(path))
	switch verb {
	case "start":
		if t.wanted[path].IsZero() {
			t.wanted[path] = now
		}
		switch info, err := os.Stat(path); {
		case err != nil, info.Size() < 44: // there was no audio before
			t.starts[path] = time.Now() // later than now, if the disk was slow
		case info.Size() > 44 && !t.stopped[path].IsZero():
			t.rewritten = append(t.rewritten, path)
		}
	case "stop":
		if t.stopped[path].IsZero() {
			t.stopped[path] = now
		}
	}
}

type snapshot struct {
	Owner string `json:"owner"`
	Token int64  `json:"token"`
	Call  string `json:"call"`
}

func readSnapshot(text string) (s snapshot, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return s, err == nil && json.Unmarshal(raw, &s) == nil
}

func (t *tap) snapshot(now time.Time, text string) {
	if s, ok := readSnapshot(text); ok {
		n := len(t.owners)
		if n == 0 || t.owners[n-1].owner != s.Owner || t.owners[n-1].call != s.Call {
			t.note("switch: %.8s is %.8s's, token %d", s.Call, s.Owner, s.Token)
		}
		t.owners = append(t.owners, owned{now, s.Call, s.Owner, s.Token})
	}
}

// sent notes a line that an instance sent to the switch, and stores the owner id of
// its process in id when it learns it.
func (t *tap) sent(by string, id *string, line string) {
	words := strings.Fields(line)
	if len(words) < 4 || words[0] != "api" && words[0] != "bgapi" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case words[1] == "uuid_setvar" && words[3] == "tapedeck_live" && len(words) == 5:
		if s, ok := readSnapshot(words[4]); ok {
			*id = s.Owner
			t.lives[s.Owner] = by
			t.claims[claim{s.Owner, s.Call}] = max(s.Token, t.claims[claim{s.Owner, s.Call}])
		}
	case words[1] == "uuid_record" && len(words) > 4 && !isMarker(words[4]):
		t.note("%s: %s %s", by, words[3], filepath.Base(words[4]))
		t.commands = append(t.commands, recordCommand{time.Now(), by, callOf(words[4]), line, *id, t.claims[claim{*id, callOf(words[4])}]})
	}
}

// owner is the instance that last claimed a call, and when; "" if none is known.
func (t *tap) owner(call string) (at time.Time, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range t.owners {
		if o.call == call {
			at, name = o.at, t.lives[o.owner]
		}
	}
	return at, name
}

// firstOwner is the instance, in that life, at which a call began; "" if none has owned it.
func (t *tap) firstOwner(call string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range t.owners {
		if o.call == call {
			return o.owner
		}
	}
	return ""
}

// takenOver reports whether a call got another owner in a period.
func (t *tap) takenOver(call string, from, until time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	var before int64 // the highest token until from
	for _, o := range t.owners {
		switch {
		case o.call != call || o.at.After(until):
		case !o.at.After(from):
			before = max(before, o.token)
		case before > 0 && o.token > before:
			return true
		}
	}
	return false
}

// callOf is the id of the call to which a file belongs.
func callOf(path string) string {
	stem, _, _ := strings.Cut(filepath.Base(path), ".")
	return stem
}

// heard is the last prompt on a leg in a period. If several presses were answered late,
// the last answer counts. With first it is the first one: in a conference room the user
// is told, too, what others have pressed after him.
func (t *tap) heard(leg string, from, until time.Time, first bool) (last prompt, found bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.prompts {
		if p.leg == leg && !p.at.Before(from) && p.at.Before(until) {
			if last, found = p, true; first {
				return last, found
			}
		}
	}
	return last, found
}

// started is when the switch began to record to a file; zero: never.
func (t *tap) started(path string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.starts[path]
}
