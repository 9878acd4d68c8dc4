package roomrules

import (
	"strings"
	"testing"

	"tapedeck/flow"
	"tapedeck/flow/flowtest"
	"tapedeck/toggle"
)

// TestGuests: each call is written as organisation, o for an outside party's or i for an
// internal one, and g if it was a guest so far. A call that becomes or stays a guest is
// written in parentheses.
func TestGuests(t *testing.T) {
	for _, tc := range []struct{ name, calls, want string }{
		{"nobody", "", ""},
		{"one user alone", "a/i", "a/i"},
		{"he was a guest, and the others have left", "a/ig", "a/ig"},
		{"without an outside party the first one has the file", "a/i a/i a/i", "a/i (a/i) (a/i)"},
		{"who has the file keeps it", "a/ig a/i a/ig", "(a/ig) a/i (a/ig)"},
		{"all were guests, and the outside party has left", "a/ig a/ig", "a/ig (a/ig)"},
		{"an outside party comes", "a/i a/ig a/o", "(a/i) (a/ig) a/o"},
		{"an outside party was there before", "a/o a/i", "a/o (a/i)"},
		{"two outside parties keep a file each", "a/o a/o a/i", "a/o a/o (a/i)"},
		{"the outside party of another organisation counts for that one", "b/o a/i b/i a/i", "b/o a/i (b/i) (a/i)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			words := strings.Fields(tc.calls)
			var calls []Call
			for _, word := range words {
				org, is, _ := strings.Cut(word, "/")
				calls = append(calls, Call{Org: org, Internal: is[0] == 'i', Guest: strings.HasSuffix(is, "g")})
			}
			for i, guest := range Guests(calls) {
				if guest {
					words[i] = "(" + words[i] + ")"
				}
			}
			if got := strings.Join(words, " "); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestPress: a press acts on all recordings in the room or on none.
func TestPress(t *testing.T) {
	org := flowtest.Policy(t, `
version: 1
region: GB
organisations:
  acme:
    domains: [acme.example.net]
    on_demand: { dtmf: "*1" }
    users:
      dave:  { extension: "1004" }
      frank: { extension: "1005", on_demand: override }
      grace: { extension: "1006", on_demand: disable }
`).Organisations["acme"]
	on := Recording{Org: org, Effective: flow.Effective{On: true}, Wanted: true}
	off := Recording{Org: org}
	locked := Recording{Org: org, Effective: flow.Effective{On: true, Locked: true}, Wanted: true}
	for _, tc := range []struct {
		name    string
		all     []Recording
		user    string
		by      toggle.Method
		ask     toggle.Ask
		want    toggle.Ask
		refused toggle.Refusal
	}{
		{"all are recorded", []Recording{on, on}, "dave", toggle.DTMF, toggle.Turn, toggle.TurnOff, ""},
		{"one is recorded", []Recording{off, on}, "dave", toggle.DTMF, toggle.Turn, toggle.TurnOff, ""},
		{"none is recorded", []Recording{off, off}, "dave", toggle.DTMF, toggle.Turn, toggle.TurnOn, ""},
		{"asks for recording", []Recording{off, on}, "dave", toggle.DTMF, toggle.TurnOn, toggle.TurnOn, ""},
		{"asks for a pause", []Recording{off, off}, "dave", toggle.DTMF, toggle.TurnOff, toggle.TurnOff, ""},
		{"one is locked", []Recording{on, locked}, "dave", toggle.DTMF, toggle.Turn, toggle.Turn, toggle.Locked},
		{"one is locked, and the user may override", []Recording{on, locked}, "frank", toggle.DTMF, toggle.Turn, toggle.TurnOff, ""},
		{"a user who may not", []Recording{on}, "grace", toggle.DTMF, toggle.Turn, toggle.Turn, toggle.UserDisabled},
		{"nobody's phone", []Recording{on}, "", toggle.DTMF, toggle.Turn, toggle.Turn, toggle.NotItsUser},
		{"a method that is not granted", []Recording{on}, "dave", toggle.RecordKey, toggle.TurnOff, toggle.TurnOff, toggle.NotGranted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if ask, refused := Press(tc.all, tc.user, tc.by, tc.ask); ask != tc.want || refused != tc.refused {
				t.Errorf("asks to %s, %q; want %s, %q", ask, refused, tc.want, tc.refused)
			}
		})
	}
}

func TestState(t *testing.T) {
	for files, want := range map[string]toggle.Status{"": toggle.Off, "off": toggle.Off, "off paused": toggle.Paused,
		"paused off": toggle.Paused, "paused on off": toggle.On, "on paused": toggle.On} {
		var all []toggle.Status
		for _, state := range strings.Fields(files) {
			all = append(all, toggle.Status(state))
		}
		if got := State(all...); got != want {
			t.Errorf("%q: got %s", files, got)
		}
	}
}
