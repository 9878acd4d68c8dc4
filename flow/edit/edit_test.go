package edit_test

import (
	"errors"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"tapedeck/flow/edit"
)

// TestApply: only what a change is about is written anew.
func TestApply(t *testing.T) {
	yes, no := edit.Word("yes"), edit.Word("no")
	for name, tc := range map[string]struct {
		before string
		path   string
		value  *yaml.Node
		after  string
	}{
		"a value, and its comment stays": {
			"n: { record: no, route: user/a }   # main\nother: x\n", "n/record", yes,
			"n: { record: yes, route: user/a }   # main\nother: x\n"},
		"a value that is there already": {"n: {record:   'no' }\n", "n/record", no, "n: {record:   'no' }\n"},
		"quotes stay":                   {"a: \"*1\"\nb: '*2'\n", "b", edit.Word("*3"), "a: \"*1\"\nb: '*3'\n"},
		"quotes where they are needed":  {"a: x\n", "a", edit.Word("*3"), "a: \"*3\"\n"},
		"a mapping for a word":          {"a: yes # both\n", "a", edit.With(edit.With(edit.Mapping(), "inbound", yes), "outbound", no), "a: { inbound: yes, outbound: no } # both\n"},
		"a word for a mapping in lines": {"a:\n  inbound: yes\n  outbound: no # never\nb: x\n", "a", no, "a: no # never\nb: x\n"},
		"a list":                        {"g: { members: [ a,b ] }\n", "g/members", edit.List([]string{"a", "c"}), "g: { members: [a, c] }\n"},
		"a list in lines":               {"members:\n  - a # first\n  - b\nx: y\n", "members", edit.List([]string{"b"}), "members: [b]\nx: y\n"},
		"a key in brackets":             {"u: { extension: \"1\" }\n", "u/record", no, "u: { extension: \"1\", record: no }\n"},
		"a key behind a last comma":     {"u: { a: x, }\n", "u/record", no, "u: { a: x, record: no }\n"},
		"a key in empty brackets":       {"u: {}\nv: {  }\n", "v/record", no, "u: {}\nv: { record: no }\n"},
		"a key in lines":                {"u:\n    a: x   # c\n# end\nv: y\n", "u/b", no, "u:\n    a: x   # c\n    b: no\n# end\nv: y\n"},
		"a key below nothing":           {"u:  # nobody yet\nv: y\n", "u/b", no, "u:  # nobody yet\n  b: no\nv: y\n"},
		"a key below ~":                 {"u: ~ # c\nv: y\n", "u/b", no, "u:  # c\n  b: no\nv: y\n"},
		"no line break at the end":      {"u:\n  a: x", "u/b", no, "u:\n  a: x\n  b: no"},
		"CRLF":                          {"u:\r\n  a: x\r\nv: y\r\n", "u/b", no, "u:\r\n  a: x\r\n  b: no\r\nv: y\r\n"},
		"what is missing on the way": {
			"organisations:\n  acme:\n    name: Acme\n  zeta: {}\n", "organisations/acme/users/bob/record", no,
			"organisations:\n  acme:\n    name: Acme\n    users:\n      bob: { record: no }\n  zeta: {}\n"},
		"an organisation": {
			"organisations:\n    acme:\n        name: Acme\n", "organisations/zeta",
			edit.With(edit.With(edit.Mapping(), "name", edit.Word("Zeta Ltd")), "numbers", edit.With(edit.Mapping(), "+442079460001", edit.With(edit.Mapping(), "record", yes))),
			"organisations:\n    acme:\n        name: Acme\n    zeta:\n        name: Zeta Ltd\n        numbers:\n            \"+442079460001\": { record: yes }\n"},
		"a line goes":                     {"a: x\nb: y # c\nc: z\n", "b", nil, "a: x\nc: z\n"},
		"lines go":                        {"a: x\nb:\n  d: y\n  e: [1,\n    2]\n# c\nc: z\n", "b", nil, "a: x\n# c\nc: z\n"},
		"what is not there goes":          {"a: x\n", "b/c", nil, "a: x\n"},
		"the first in brackets goes":      {"a: { b: x, c: y }\n", "a/b", nil, "a: { c: y }\n"},
		"the last in brackets goes":       {"a: { b: x, c: y }\n", "a/c", nil, "a: { b: x }\n"},
		"the only one in brackets goes":   {"a: { b: x }\n", "a/b", nil, "a: {  }\n"},
		"a key without a value goes":      {"a:\n  b:\n  c: x\n", "a/b", nil, "a:\n  c: x\n"},
		"an alias":                        {"a: &s { record: yes }\nb: *s\nc: *s\n", "b", no, "a: &s { record: yes }\nb: no\nc: *s\n"},
		"what an alias stands for":        {"a: &s { record: yes, x: y }\nb: *s\nc: *s\n", "b/record", no, "a: &s { record: yes, x: y }\nb: { record: no, x: y }\nc: *s\n"},
		"what aliases stand for":          {"a: &s { record: yes }\nb: *s\nc: *s\n", "a/record", no, "a: { record: no }\nb: &s { record: yes }\nc: *s\n"},
		"a word that aliases stand for":   {"a: &s yes\nb: *s # c\nc: *s\n", "a", no, "a: no\nb: &s yes # c\nc: *s\n"},
		"an anchor that goes":             {"a: &s yes\nb: *s\nc: *s\n", "a", nil, "b: &s yes\nc: *s\n"},
		"an anchor that nothing uses":     {"a: &s { record: yes }\n", "a/record", no, "a: &s { record: no }\n"},
		"characters of several bytes":     {"a: { \"ü\": 日本語, b: ñandú }\n", "a/b", edit.Word("é"), "a: { \"ü\": 日本語, b: é }\n"},
		"a byte order mark":               {"\uFEFFa: x\nb: y\n", "a", no, "\uFEFFa: no\nb: y\n"},
		"the first line of a file":        {"", "a/b/c", no, "a:\n  b:\n    c: no\n"},
		"a value that nobody has written": {"a: { b: , c: x }\n", "a/b", no, "a: { b:  no, c: x }\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := edit.Apply([]byte(tc.before), []edit.Change{{Path: strings.Split(tc.path, "/"), Value: tc.value}})
			if err != nil || string(got) != tc.after {
				t.Errorf("got %v\n%swant\n%s", err, got, tc.after)
			}
		})
	}
}

// TestApplyByHand: what cannot be changed alone is not changed, and the message says where
// it is.
func TestApplyByHand(t *testing.T) {
	for name, tc := range map[string]struct{ before, path, line string }{
		"a text of several lines":           {"x: y\na: |\n  one\n  two\n", "a", "line 2"},
		"a mapping in lines that is shared": {"a: &s\n  b: x\nc: *s\n", "a/b", "line 1"},
		"a word where a mapping should be":  {"a: x\n", "a/b", "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := edit.Apply([]byte(tc.before), []edit.Change{{Path: strings.Split(tc.path, "/"), Value: edit.Word("no")}})
			if !errors.Is(err, edit.ErrByHand) || !strings.Contains(err.Error(), tc.line) || got != nil {
				t.Errorf("got %v, %q", err, got)
			}
		})
	}
}
