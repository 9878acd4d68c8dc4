package recording

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const call = "5f7ad4b6-0d9f-4be5-9a6c-6d4c8f1f3c11"

var day = time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)

func TestNewDir(t *testing.T) {
	for _, test := range []struct{ root, want, err string }{
		{root: "/var/spool/tapedeck", want: "/var/spool/tapedeck"},
		{root: "/var/spool/tapedeck/", want: "/var/spool/tapedeck"},
		{root: "/var//spool/./a/../tapedeck", want: "/var/spool/tapedeck"},
		{root: "/srv/A_b.c-d+e@f=g~1", want: "/srv/A_b.c-d+e@f=g~1"},
		{root: "/", want: "/"},
		{root: "", err: "it is empty"},
		{root: "spool", err: "it is not absolute"},
		{root: "./spool", err: "it is not absolute"},
		{root: "~/spool", err: "it is not absolute"},
		{root: "/my spool", err: "the space"},
		{root: "/a\tb", err: `'\t'`},
		{root: "/a\nb", err: `'\n'`},
		{root: "/a\rb", err: `'\r'`},
		{root: "/a\x00b", err: `'\x00'`},
		{root: "/a'b", err: `'\''`},
		{root: `/a"b`, err: `'"'`},
		{root: "/a$b", err: "'$'"},
		{root: "/${domain}", err: "'$'"},
		{root: "/{a=b}", err: "'{'"},
		{root: "/a}", err: "'}'"},
		{root: "/a,b", err: "','"},
		{root: `/a\b`, err: `'\\'`},
		{root: "/a;b", err: "';'"},
		{root: "/a|b", err: "'|'"},
		{root: "/a`b", err: "'`'"},
		{root: "/shout://x", err: "':'"},
		{root: "/aufn\u00e4hmen", err: "'\u00e4'"},
		{root: "/a\xffb", err: `'�'`},
		{root: "/" + strings.Repeat("a", maxRoot), err: "at most 1024"},
	} {
		d, err := NewDir(test.root)
		switch {
		case test.err == "" && (err != nil || d.String() != test.want):
			t.Errorf("NewDir(%q) = %q, %v, want %q", test.root, d, err, test.want)
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err) || d != Dir{}):
			t.Errorf("NewDir(%q) = %q, %v, want an error with %q", test.root, d, err, test.err)
		}
	}
}

func TestPath(t *testing.T) {
	d, err := NewDir("/var/spool/tapedeck")
	if err != nil {
		t.Fatal(err)
	}
	tokyo := time.FixedZone("JST", 9*60*60)
	for _, test := range []struct {
		started time.Time
		want    string
	}{
		{day, "/var/spool/tapedeck/acme/2026/03/09/" + call + ".wav"},
		{time.Date(2026, 1, 1, 8, 59, 59, 0, tokyo), "/var/spool/tapedeck/acme/2025/12/31/" + call + ".wav"},
		{time.Date(2026, 1, 1, 9, 0, 0, 0, tokyo), "/var/spool/tapedeck/acme/2026/01/01/" + call + ".wav"},
	} {
		if got, err := d.Path("acme", test.started, call); err != nil || got != test.want {
			t.Errorf("Path at %s = %q, %v, want %q", test.started, got, err, test.want)
		}
	}
	if _, err := (Dir{}).Path("acme", day, call); err == nil {
		t.Error("the zero Dir has a path")
	}
}

func TestPathRefuses(t *testing.T) {
	d, err := NewDir("/var/spool/tapedeck")
	if err != nil {
		t.Fatal(err)
	}
	hostile := []string{
		"", ".", "..", "../x", "a/b", "/etc/passwd", "a b", "a\x00", "a\nb", "a\r\nb", "a.b", "a_b", "${x}", "{a}", "a,b",
		"a'b", `a"b`, `a\b`, "a%2e", "é", "\xff", "a;b", strings.Repeat("a", 65), strings.Repeat("a", 1<<20),
	}
	for _, s := range hostile {
		if got, err := d.Path(s, day, call); err == nil {
			t.Errorf("organisation %.80q is accepted: %q", s, got)
		} else if len(err.Error()) > 600 {
			t.Errorf("the error for %.80q has %d bytes", s, len(err.Error()))
		}
		if got, err := d.Path("acme", day, s); err == nil {
			t.Errorf("call %.80q is accepted: %q", s, got)
		}
	}
	if _, err := d.Path("Acme", day, call); err == nil {
		t.Error("organisation Acme is accepted, which is acme on some file systems")
	}
	for _, started := range []time.Time{{}, time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got, err := d.Path("acme", started, call); err == nil {
			t.Errorf("the date %s is accepted: %q", started, got)
		}
	}
}

// FuzzPath: whatever the ids are, a path that is given lies below the root, in
// the form of docs/design.md, section 8.
func FuzzPath(f *testing.F) {
	d, err := NewDir("/spool")
	if err != nil {
		f.Fatal(err)
	}
	form := regexp.MustCompile(`^/spool/[a-z0-9-]{1,64}/\d{4}/\d\d/\d\d/[0-9A-Za-z-]{1,64}\.wav$`)
	f.Add("acme", int64(1773014400), call)
	f.Add("../..", int64(-1<<62), "x/../../y")
	f.Fuzz(func(t *testing.T, organisation string, started int64, id string) {
		path, err := d.Path(organisation, time.Unix(started, 0), id)
		if err == nil && (!form.MatchString(path) || filepath.Clean(path) != path) {
			t.Errorf("Path(%q, %d, %q) = %q", organisation, started, id, path)
		}
	})
}
