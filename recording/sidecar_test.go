package recording

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestSidecarRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), call+".json")
	want := sample(call)
	want.Part, want.Previous = 2, call+".wav"
	want.Hold = &Hold{By: "carol", Reason: "court", At: day.Add(time.Hour)}
	want.Problems = []string{"short: 600 ms are missing"}
	if err := WriteSidecar(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSidecar(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v\nwrote %+v", got, err, want)
	}
}

func TestSidecarText(t *testing.T) {
	s := Sidecar{
		Version: Version, Call: call, Part: 1, Organisation: "acme",
		Started: time.Date(2026, 3, 9, 13, 0, 0, 123_999_999, time.FixedZone("CET", 3600)),
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"version":1,"call":"` + call + `","organisation":"acme","direction":"","external":"","number":"","users":[],"switch":"",` +
		`"anchor":"","started":"2026-03-09T12:00:00.123Z","trigger":"","decided":{},"file":null,"spans":[],"trace":[],"complete":false,"problems":[]}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestSidecarHostile(t *testing.T) {
	evil := "\x00\xff\n\r\u202e\"}],${x};../" + strings.Repeat("A", 10<<10)
	s := sample(call)
	s.External, s.Number, s.Switch, s.Users = evil, evil, evil, []string{evil}
	s.Trace = []Note{{At: time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), What: evil, User: evil, Result: evil}}
	s.Hold = &Hold{By: evil, Reason: evil}
	s.AddProblem(Disk, evil)
	path := filepath.Join(t.TempDir(), call+".json")
	if err := WriteSidecar(path, s); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 8<<10 || !utf8.Valid(text) || strings.ContainsAny(string(text), "\x00\u202e\r") {
		t.Errorf("%d bytes: %.600q", len(text), text)
	}
	got, err := ReadSidecar(path)
	if err != nil || got.ID() != call || got.External == "" || len(got.External) > maxText {
		t.Errorf("read back: %v, %q", err, got.External)
	}
}

func TestSidecarRefused(t *testing.T) {
	good, err := sample(call).encode()
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, new string) []byte {
		text := strings.Replace(string(good), old, new, 1)
		if text == string(good) {
			t.Fatalf("there is no %s in the sidecar", old)
		}
		return []byte(text)
	}
	path := filepath.Join(t.TempDir(), "x.json")
	for name, text := range map[string][]byte{
		"empty":          nil,
		"cut":            good[:len(good)/2],
		"two":            append(good, good...),
		"version 2":      change(`"version":1`, `"version":2`),
		"path in call":   change(`"call":"`+call, `"call":"../../etc/passwd`),
		"part in call":   change(`"call":"`+call, `"call":"`+call+`.part2`),
		"negative part":  change(`"organisation"`, `"part":-1,"organisation"`),
		"large part":     change(`"organisation"`, `"part":10000,"organisation"`),
		"path in org":    change(`"organisation":"acme"`, `"organisation":".."`),
		"no start":       change(`"started":`, `"begun":`),
		"span of text":   change(`"from_ms":0`, `"from_ms":"0"`),
		"larger than it": append(good, strings.Repeat(" ", maxSidecar)...),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := ReadSidecar(path); err == nil {
			t.Errorf("%s: accepted: %+v", name, s)
		}
	}
	if _, err := ReadSidecar(filepath.Dir(path)); err == nil {
		t.Error("a folder is accepted")
	}
	if err := WriteSidecar(path, Sidecar{Version: Version, Call: "../x", Organisation: "acme", Started: day}); err == nil {
		t.Error("a sidecar with a path for a call is written")
	}
}

// TestSidecarTooLarge: whatever is written can be read again, however large it was.
func TestSidecarTooLarge(t *testing.T) {
	s := sample(call)
	long := strings.Repeat("x", 200)
	for range 18_000 {
		s.Trace = append(s.Trace, Note{At: day, What: long, User: long, Result: long})
	}
	s.Trace = append(s.Trace, Note{At: day, What: "last"})
	for range maxSpans + 1 {
		s.Spans = append(s.Spans, Span{State: StateRecording})
	}
	path := filepath.Join(t.TempDir(), call+".json")
	if err := WriteSidecar(path, s); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSidecar(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Trace); n < 1000 || got.Trace[0].What != "entered" || got.Trace[n-1].What != "last" || !got.HasProblem(StateUnknown) {
		t.Errorf("%d notes, problems %q", n, got.Problems)
	}
}

// FuzzSidecar: a sidecar that is accepted never has a path outside the folder, and
// does not change when it is written and read.
func FuzzSidecar(f *testing.F) {
	good, err := sample(call).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	d := dirOf(f, "/spool")
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := decodeSidecar(text)
		if err != nil {
			return
		}
		path, err := s.Path(d)
		if err != nil {
			t.Fatalf("%s has no path: %v", text, err)
		}
		if place, err := d.Parse(path); err != nil || place.ID() != s.ID() || place.Organisation != s.Organisation {
			t.Fatalf("%s: path %q: %+v, %v", text, path, place, err)
		}
		once, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeSidecar(once)
		if err != nil {
			t.Fatalf("%s: written %s: %v", text, once, err)
		}
		if twice, err := again.encode(); err != nil || string(twice) != string(once) {
			t.Fatalf("written %s, again %s, %v", once, twice, err)
		}
	})
}

func TestPlace(t *testing.T) {
	d := dirOf(t, "/spool")
	for part, want := range map[int]string{0: call, 1: call, 2: call + ".part2", 9999: call + ".part9999"} {
		path, err := d.PartPath("acme", day, call, part)
		if err != nil || path != "/spool/acme/2026/03/09/"+want+".wav" {
			t.Errorf("part %d: %q, %v", part, path, err)
		}
		for _, path := range []string{path, SidecarPath(path)} {
			place, err := d.Parse(path)
			if err != nil || place != (Place{"acme", day.Truncate(24 * time.Hour), call, max(1, part)}) {
				t.Errorf("Parse(%q) = %+v, %v", path, place, err)
			}
			if id := place.ID(); id != want {
				t.Errorf("the id of %q is %q", path, id)
			}
		}
	}
	for _, part := range []int{-1, 10000} {
		if path, err := d.PartPath("acme", day, call, part); err == nil {
			t.Errorf("part %d: %q", part, path)
		}
	}
	for _, path := range []string{
		"", "/", "/spool", "/spool/acme/2026/03/09", "/other/acme/2026/03/09/a.wav", "/spool/acme/2026/03/09/../a.wav",
		"/spool/../acme/2026/03/09/a.wav", "/spool/acme/2026/3/9/a.wav", "/spool/acme/2026/02/30/a.wav", "/spool/Acme/2026/03/09/a.wav",
		"/spool/acme/2026/03/09/a", "/spool/acme/2026/03/09/a.part2", "/spool/acme/2026/03/09/.wav", "/spool/acme/2026/03/09/a.part1.wav",
		"/spool/acme/2026/03/09/a.part02.wav", "/spool/acme/2026/03/09/a.part+2.wav", "/spool/acme/2026/03/09/a.part.wav",
		"/spool/acme/2026/03/09/a.part2.part3.wav", "/spool/acme/2026/03/09/.a.json.123.tmp", "/spool/acme/2026/03/09/b/a.wav",
		"/spool/acme/2026/03/09/a.txt", "/spool//acme/2026/03/09/a.wav", "spool/acme/2026/03/09/a.wav", "/spool/.live/a.json", "/spool/acme/2026/03/09/a.wav\n",
	} {
		if place, err := d.Parse(path); err == nil {
			t.Errorf("Parse(%q) = %+v", path, place)
		}
	}
}
