package flow

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"tapedeck/internal/strictyaml"
)

// FuzzParse: no text makes Parse panic; a policy that it gives survives JSON
// with its revision, and each of its elements is found; a refusal is a report
// whose lines are in the file.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/mistakes/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Add([]byte(lookupPolicy))
	f.Add([]byte(organisation("users: { a: &a { record: *a }, b: { <<: *a } }")))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parse([]strictyaml.Source{{Name: "fuzz.yaml", Text: text}}, &strictyaml.Report{})
		if err != nil {
			checkReport(t, text, err)
			return
		}
		checkPolicy(t, p)
	})
}

func checkReport(t *testing.T, text []byte, err error) {
	var report *strictyaml.Report
	if !errors.As(err, &report) || len(report.Mistakes) == 0 {
		t.Fatalf("the error is no report: %v", err)
	}
	lines := 1 + strings.Count(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(string(text)), "\n")
	for _, m := range report.Mistakes {
		if m.Line < 1 || m.Line > lines || m.File != "fuzz.yaml" || m.Text == "" || strings.ContainsAny(m.Text, "\n\r") {
			t.Errorf("of %d lines: %+q", lines, m)
		}
	}
}

func checkPolicy(t *testing.T, p *Policy) {
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Policy
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if back.Revision != p.Revision || !reflect.DeepEqual(p, &back) {
		t.Errorf("the policy comes back as\n%+v, want\n%+v", back, *p)
	}
	for id, o := range back.Organisations {
		for e, in := range o.Inheritances() {
			again, ok := o.Inheritance(e)
			if !ok || in.Element != e || in.Organisation != id || !reflect.DeepEqual(in, again) {
				t.Errorf("%s of %s: %+v and %+v, %t", e, id, in, again, ok)
			}
			if parsed, err := ParseElement(e.String()); err != nil || parsed != e {
				t.Errorf("%s is read as %s, %v", e, parsed, err)
			}
		}
		for e164 := range o.Numbers {
			if owner, same, ok := back.FindNumber(e164); !ok || owner != o || same != e164 {
				t.Errorf("number %s of %s is not found", e164, id)
			}
		}
		for user, u := range o.Users {
			if found, _, ok := o.FindUser(user); !ok || found != user {
				t.Errorf("user %q is found as %q", user, found)
			}
			if found, _, ok := o.FindUser(u.Extension); u.Extension != "" && (!ok || found != user) {
				t.Errorf("extension %q of %q is found as %q", u.Extension, user, found)
			}
		}
		for _, d := range o.Domains {
			if owner, ok := back.OrganisationByDomain(d); !ok || owner != o {
				t.Errorf("domain %q of %s is not found", d, id)
			}
		}
	}
}

// FuzzNormalise: a number that is read is + and digits, no longer than E.164
// allows, and reads as itself, with and without a region.
func FuzzNormalise(f *testing.F) {
	for _, raw := range []string{"02079460001", "+44 (0)20 7946 0001", "sip:%2B442079460001@x;y", "tel:7946-0001;phone-context=+4420", "\x00", "٠٢"} {
		f.Add("GB", raw)
	}
	f.Add("US", "011442079460001")
	f.Add("IT", "06 698 1234")
	f.Add("AR", "011 15 2345 6789")
	f.Add("MX", "044 222 123 4567")
	f.Add("", "+80012345678")
	f.Fuzz(func(t *testing.T, region, raw string) {
		e164, ok := Normalise(region, raw)
		if !ok {
			if e164 != "" {
				t.Errorf("not ok, but %q", e164)
			}
			return
		}
		if len(e164) > 16 || e164[0] != '+' || !only(digits, e164[1:], 15) {
			t.Errorf("Normalise(%q, %q) = %q", region, raw, e164)
		}
		for _, r := range []string{region, "", "GB", "US"} {
			if again, ok := Normalise(r, e164); !ok || again != e164 {
				t.Errorf("%q with region %q is %q, with region %q %q", raw, region, e164, r, again)
			}
		}
	})
}
