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

// tap hears what the switch is told, and by whom.
type tap struct {
	mu        sync.Mutex
	prompts   []prompt
	wanted    map[string]time.Time // files, since when the switch has been told to write them
	starts    map[string]time.Time // since when it has
	stopped   map[string]time.Time
	rewritten []string // files that were there when they were started
	commands  []told   // recording commands on watch links
	owners    []owned
	lives     map[string]string // which instance an owner is a life of
	claims    map[claim]int64   // the highest token of each that was sent
	note      func(format string, args ...any)
}

// prompt is what a phone was played.
type prompt struct {
	at   time.Time
	leg  string
	name string
}

// told is a recording command of an instance.
type told struct {
	at             time.Time
	by, call, line string
	id             string // of the instance's life, as far as it is known
	token          int64  // with which it has said before that the call is its own
}

// claim is what an instance's life says when it sends a snapshot of a call.
type claim struct{ owner, call string }

// owned is a snapshot that names a call's owner.
type owned struct {
	at          time.Time
	call, owner string
	token       int64
}

func newTap(note func(string, ...any)) *tap {
	return &tap{lives: map[string]string{}, claims: map[claim]int64{}, wanted: map[string]time.Time{}, starts: map[string]time.Time{}, stopped: map[string]time.Time{}, note: note}
}

// carriedOut is for esltest's Fail: it hears every command and fails none.
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
		case err != nil, info.Size() < 44: // what was there before is nothing
			t.starts[path] = now
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

// sent is a line that an instance's life has sent; id learns the life's id.
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
		t.commands = append(t.commands, told{time.Now(), by, callOf(words[4]), line, *id, t.claims[claim{*id, callOf(words[4])}]})
	}
}

// owner is the instance that last said that a call is its own, and when; "" if
// that is not known.
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

// callOf is the call whose file it is.
func callOf(path string) string {
	stem, _, _ := strings.Cut(filepath.Base(path), ".")
	return stem
}

// heard is the last prompt on a leg in a time: of several presses that were taken
// late, the last one's holds.
func (t *tap) heard(leg string, from, until time.Time) (last prompt, found bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.prompts {
		if p.leg == leg && !p.at.Before(from) && p.at.Before(until) {
			last, found = p, true
		}
	}
	return last, found
}

// started is when the switch began a file; zero: never.
func (t *tap) started(path string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.starts[path]
}
