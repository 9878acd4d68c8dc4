package review

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"tapedeck/flow"
	"tapedeck/internal/strictyaml"
	"tapedeck/toggle"
)

// Expectation is a call, and what its administrator expects of it.
type Expectation struct {
	Name string
	At   strictyaml.Place
	Question
	Recorded *bool         // nil: not asked
	Locked   *bool         // nil: not asked
	Because  string        // KIND/ID, or nobody; empty: not asked
	State    toggle.Status // after the presses; empty: not asked
}

// expectationRules are those of files of expectations.
var expectationRules = strictyaml.Rules{
	Aliases:    true,
	NotMapping: `{what} is {found}: write keys and values, "key: value"`,
	NotList:    "{what} is {found}: write a list, [a, b]",
	NotText:    "{what} is {found}: write one value",
	NoValue:    "{what} has no value: write one, or remove the key",
	Twice:      "{key} is in {what} twice: remove this one or that of line {line}",
	Unknown:    "unknown key {key} in {what}: use {a and b}",
	BadKey:     "a key in {what} is no plain text: write a name before the colon",
	MergeKey:   "merge keys (<<) are not understood in {what}: write the keys out",
	Tag:        "the tag {found} has no meaning here: remove it",
}

// ReadExpectations reads a file of expectations. If it has mistakes, the error is a
// *strictyaml.Report.
func ReadExpectations(name string) ([]Expectation, error) {
	source, err := strictyaml.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := &expectationReader{Reader: strictyaml.Reader{Rules: &expectationRules}}
	doc := r.Open(source)
	if doc == nil {
		if r.Err() == nil {
			r.MistakeAt(strictyaml.Place{File: name, Line: 1}, "the file is empty: begin with expect: and a list of calls")
		}
		return nil, r.Err()
	}
	r.Fields(doc.Content[0], "the file", map[string]func(*yaml.Node){
		"expect": func(v *yaml.Node) { r.Items(v, "expect", r.expectation) },
	})
	if len(r.all) == 0 && r.Err() == nil {
		r.MistakeAt(strictyaml.Place{File: name, Line: 1}, "the file expects nothing: write expect: and a list of calls")
	}
	return r.all, r.Err()
}

type expectationReader struct {
	strictyaml.Reader
	all []Expectation
}

// expectation reads one call and what is expected of it.
func (r *expectationReader) expectation(n *yaml.Node) {
	e := Expectation{At: r.At(n)}
	what := fmt.Sprintf("call %d", len(r.all)+1)
	directed := false
	text := func(key string, to *string) func(*yaml.Node) {
		return func(v *yaml.Node) { *to, _, _ = r.Text(v, key+" of "+what) }
	}
	list := func(key string, to *[]string) func(*yaml.Node) {
		return func(v *yaml.Node) {
			r.Items(v, key+" of "+what, func(v *yaml.Node) {
				if s, _, ok := r.Text(v, key+" of "+what); ok {
					*to = append(*to, s)
				}
			})
		}
	}
	boolean := func(key string, to **bool) func(*yaml.Node) {
		return func(v *yaml.Node) {
			var b bool
			strictyaml.Enum(&r.Reader, v, key+" of "+what, []string{"true", "false"}, parseBool, &b)
			*to = &b
		}
	}
	r.Fields(n, what, map[string]func(*yaml.Node){
		"name": text("name", &e.Name), "organisation": text("organisation", &e.Organisation),
		"direction": func(v *yaml.Node) {
			directed = true
			strictyaml.Enum(&r.Reader, v, "direction of "+what, []string{"inbound", "outbound", "internal"}, flow.ParseDirection, &e.Direction)
		},
		"number": text("number", &e.Number), "user": text("user", &e.User), "via": list("via", &e.Via),
		"answered_by": text("answered_by", &e.AnsweredBy), "presses": list("presses", &e.Presses),
		"recorded": boolean("recorded", &e.Recorded), "locked": boolean("locked", &e.Locked), "because": text("because", &e.Because),
		"state": func(v *yaml.Node) {
			strictyaml.Enum(&r.Reader, v, "state of "+what, []string{"on", "paused", "off"}, parseState, &e.State)
		},
	})
	switch {
	case !directed:
		r.Mistake(n, "%s has no direction: write inbound, outbound or internal", what)
	case e.Recorded == nil && e.Locked == nil && e.Because == "" && e.State == "":
		r.Mistake(n, "%s expects nothing: write recorded, locked, because or state", what)
	}
	r.all = append(r.all, e)
}

func parseBool(s string) (bool, error) {
	if s != "true" && s != "false" {
		return false, fmt.Errorf("%q is neither true nor false", s)
	}
	return s == "true", nil
}

func parseState(s string) (toggle.Status, error) {
	if state := toggle.Status(s); slices.Contains([]toggle.Status{toggle.On, toggle.Paused, toggle.Off}, state) {
		return state, nil
	}
	return "", fmt.Errorf("%q is no state", s)
}

// failures says in which points a call is not what is expected; nothing if it is.
func (e Expectation) failures(p *flow.Policy) []string {
	err := e.Check()
	var a Answer
	if err == nil {
		a, err = e.Explain(p)
	}
	if err != nil {
		return []string{err.Error()}
	}
	var wrong []string
	differs := func(what, want, is string) {
		if want != is {
			wrong = append(wrong, fmt.Sprintf("%s: expected %s, is %s", what, want, is))
		}
	}
	if e.Recorded != nil {
		differs("recorded", fmt.Sprint(*e.Recorded), fmt.Sprint(a.Recorded))
	}
	if e.Locked != nil {
		differs("locked", fmt.Sprint(*e.Locked), fmt.Sprint(a.Locked))
	}
	if e.Because != "" {
		differs("because", e.Because, a.Decider.String())
	}
	if e.State != "" {
		differs("state", string(e.State), string(a.state()))
	}
	if len(wrong) > 0 {
		wrong = append(wrong, a.Verdict)
	}
	return wrong
}

// state is what the recording is in the end.
func (a Answer) state() toggle.Status {
	switch n := len(a.Toggles); {
	case n > 0:
		return a.Toggles[n-1].State
	case a.Recorded:
		return toggle.On
	}
	return toggle.Off
}

// Test prints for each expectation whether the policy meets it, and returns how many it
// does not.
func Test(p *flow.Policy, all []Expectation, w io.Writer) (failed int) {
	for i, e := range all {
		name := e.Name
		if name == "" {
			name = fmt.Sprintf("call %d", i+1)
		}
		wrong := e.failures(p)
		if len(wrong) == 0 {
			fmt.Fprintf(w, "ok    %s\n", name)
			continue
		}
		failed++
		fmt.Fprintf(w, "FAIL  %s (%s): %s\n", name, e.At, strings.Join(wrong, "; "))
	}
	return failed
}
