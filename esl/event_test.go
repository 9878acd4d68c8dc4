package esl

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func mustEvent(t testing.TB, text string) *Event {
	t.Helper()
	e, err := newEvent([]byte(text), true, 8192)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestDecode(t *testing.T) {
	tests := []struct{ raw, want string }{
		{"", ""},
		{"plain", "plain"},
		{"a%20b", "a b"},
		{"%2B44%3a", "+44:"},
		{"a+b", "a+b"}, // "+" is not a space
		{"%", "%"},
		{"%4", "%4"},
		{"%zz%41", "%zzA"},
		{"100%", "100%"},
		{"%2541", "%41"}, // decoded once
		{"%0A%00", "\n\x00"},
		{"%C3%A9", "é"},
		{"é", "é"},
		{"_undef_", ""},
		{"_undef_x", "_undef_x"},
		{"ARRAY%3A%3Aa%7C%3Ab", "ARRAY::a|:b"},
	}
	for _, test := range tests {
		if got := mustEvent(t, "A: "+test.raw+"\n\n").Get("A"); got != test.want {
			t.Errorf("%q is read as %q, want %q", test.raw, got, test.want)
		}
	}
}

func TestEvent(t *testing.T) {
	e := mustEvent(t, "Event-Name: CUSTOM\nEvent-Subclass: tapedeck%3A%3Atoggle\nvariable_sip_h_X-Tag: a\n"+
		"variable_sip_h_x-tag: b\nvariable_a[0]: c\nvariable_naïve: d\nvariable_nolocal:x: e\nno colon\n"+
		"tight:f\nlast: \nvariable_twice: 1\nvariable_twice: 2\nContent-Length: 3\n\nx\n\n")
	get := []struct{ name, want string }{
		{"variable_sip_h_X-Tag", "a"}, {"variable_sip_h_x-tag", "b"}, {"variable_a[0]", "c"}, {"variable_naïve", "d"},
		{"variable_nolocal:x", "e"}, {"no colon", ""}, {"tight", "f"}, {"last", ""}, {"variable_twice", "1"}, {"absent", ""},
		{"event-name", ""}, {"", ""},
	}
	for _, g := range get {
		if got := e.Get(g.name); got != g.want {
			t.Errorf("Get(%q) = %q, want %q", g.name, got, g.want)
		}
		if name, is := strings.CutPrefix(g.name, "variable_"); is && e.Variable(name) != g.want {
			t.Errorf("Variable(%q) = %q, want %q", name, e.Variable(name), g.want)
		}
	}
	if e.Name() != "CUSTOM" || e.Subclass() != "tapedeck::toggle" || string(e.Body()) != "x\n\n" || e.Len() != 13 {
		t.Errorf("%q %q %q %d", e.Name(), e.Subclass(), e.Body(), e.Len())
	}
	if !has(e, "no colon") || !has(e, "last") || has(e, "absent") || e.Variable("") != "" {
		t.Error("headers are lost or invented")
	}
	var names []string
	for name := range e.All() {
		if names = append(names, name); len(names) == 2 {
			break
		}
	}
	if !slices.Equal(names, []string{"Event-Name", "Event-Subclass"}) {
		t.Errorf("All: %q", names)
	}
}

// TestNoEvent: the methods of a nil Event and of a zero Reply return nothing.
func TestNoEvent(t *testing.T) {
	var e *Event
	for range e.All() {
		t.Error("All of nothing")
	}
	if e.Name() != "" || has(e, "x") || e.Body() != nil || e.Len() != 0 || (Reply{}).Text() != "" || (Reply{}).OK() {
		t.Error("nothing is not nothing")
	}
}

func TestEventLimit(t *testing.T) {
	text := []byte(strings.Repeat("a: b\n", 11) + "\n")
	if _, err := newEvent(text, true, 10); !errors.Is(err, ErrLimit) {
		t.Errorf("11 headers of 10: %v", err)
	}
	if e, err := newEvent(text, true, 11); err != nil || e.Len() != 11 {
		t.Errorf("11 headers of 11: %v", err)
	}
}

func TestReply(t *testing.T) {
	tests := []struct {
		stream string
		ok     bool
		text   string
		err    string
	}{
		{"Content-Type: command/reply\nReply-Text: +OK accepted\n\n", true, "+OK accepted", ""},
		{"Content-Type: command/reply\nReply-Text: -ERR invalid session id [50%41]\n\n", false, "-ERR invalid session id [50%41]",
			`esl: FreeSWITCH replied "-ERR invalid session id [50%41]"`},
		{"Content-Type: command/reply\n\n", false, "", `esl: FreeSWITCH replied ""`},
		{"Event-Name: CHANNEL_DATA\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n", true, "+OK", ""},
		{"Content-Type: api/response\nContent-Length: 4\n\n+OK\n", true, "+OK", ""},
		{"Content-Type: api/response\nContent-Length: 9\n\n-USAGE: x", false, "-USAGE: x", `esl: FreeSWITCH replied "-USAGE: x"`},
		{"Content-Type: api/response\nContent-Length: 3\n\na\nb", false, "a\nb", `esl: FreeSWITCH replied "a\nb"`},
	}
	for _, test := range tests {
		frames, _, err := parseAll([]byte(test.stream), Limits{}, 1<<30)
		if len(frames) != 1 {
			t.Fatalf("%q: %v", test.stream, err)
		}
		r, err := newReply(frames[0], 100)
		if err != nil {
			t.Fatal(err)
		}
		if r.OK() != test.ok || r.Text() != test.text {
			t.Errorf("%q: %v %q", test.stream, r.OK(), r.Text())
		}
		if err := r.Err(); (err == nil) != test.ok || err != nil && err.Error() != test.err {
			t.Errorf("%q: error %v, want %s", test.stream, err, test.err)
		}
	}
	long := Reply{api: true, body: []byte(strings.Repeat("x\n", 1000))}
	if text := long.Err().Error(); len(text) > 400 || strings.Contains(text, "\n") {
		t.Errorf("error of %d bytes", len(text))
	}
}

// TestReplyValue: an unset variable has no value; a text that only begins like the mark of
// one is a value.
func TestReplyValue(t *testing.T) {
	for body, want := range map[string]string{"_undef_": "", "_undef_\n": "", "": "", "alice\n": "alice", "_undef_x": "_undef_x", "-ERR No such channel!\n": "-ERR No such channel!"} {
		if got := (Reply{api: true, body: []byte(body)}).Value(); got != want {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
}

// has reports whether an event has a header of that name, even an empty one.
func has(e *Event, name string) bool {
	_, found := e.find("", name)
	return found
}
