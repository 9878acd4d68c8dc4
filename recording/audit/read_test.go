package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/internal/tidy"
)

// readAll returns all pages of a query, the youngest lines first.
func readAll(t *testing.T, a *Log, q Query) (all []Line) {
	t.Helper()
	for calls := 0; ; calls++ {
		lines, next, err := a.Read(t.Context(), q)
		if err != nil || calls > 100_000 || len(lines) > max(q.Limit, defaultLines) {
			t.Fatalf("call %d: %d lines, %v", calls, len(lines), err)
		}
		all = append(all, lines...)
		if next == 0 {
			return all
		}
		if next < 0 || q.Before > 0 && next >= q.Before {
			t.Fatalf("next is %d, after %d", next, q.Before)
		}
		q.Before = next
	}
}

// withoutOffsets returns lines as they were added.
func withoutOffsets(lines []Line) []Line {
	out := slices.Clone(lines)
	for i := range out {
		out[i].Offset = 0
	}
	return out
}

func TestRead(t *testing.T) {
	a := New(t.TempDir(), nil)
	if lines, next, err := a.Read(t.Context(), Query{}); lines != nil || next != 0 || err != nil {
		t.Errorf("no file: %v, %d, %v", lines, next, err)
	}
	rnd := testkit.Rand(t, uint64(time.Now().UnixNano()))
	pick := func(words ...string) string { return words[rnd.IntN(len(words))] }
	var added []Line
	for i := range 400 {
		l := Line{At: day.Add(time.Duration(i) * time.Minute), Who: pick("anna", "bert", "<carol>"), What: pick(Listen, Download, SignIn),
			Organisation: pick("", "acme", "zeta"), Brand: pick("", "north", "south"), Recording: pick("", "one", "one.part2", "two"), Detail: strings.Repeat("é\"\n", rnd.IntN(300))}
		if err := a.Add(l); err != nil {
			t.Fatal(err)
		}
		l.Detail = tidy.Text(l.Detail, maxDetail)
		added = append(added, l)
	}
	slices.Reverse(added)
	for name, q := range map[string]struct {
		Query
		wants func(Line) bool
	}{
		"all":          {Query{}, func(l Line) bool { return true }},
		"who":          {Query{Who: []string{"<carol>"}}, func(l Line) bool { return l.Who == "<carol>" }},
		"two of them":  {Query{Who: []string{"anna", "bert"}}, func(l Line) bool { return l.Who != "<carol>" }},
		"what":         {Query{What: []string{Listen, Download}}, func(l Line) bool { return l.What != SignIn }},
		"organisation": {Query{Organisations: []string{"zeta"}}, func(l Line) bool { return l.Organisation == "zeta" }},
		"and a brand": {Query{Organisations: []string{"zeta"}, Brand: "north"}, func(l Line) bool {
			return l.Organisation == "zeta" || l.Organisation == "" && l.Brand == "north"
		}},
		"recording":   {Query{Recording: "one"}, func(l Line) bool { return l.Recording == "one" }},
		"no such":     {Query{Recording: "on"}, func(l Line) bool { return false }},
		"from":        {Query{From: added[100].At}, func(l Line) bool { return !l.At.Before(added[100].At) }},
		"to":          {Query{To: added[100].At}, func(l Line) bool { return l.At.Before(added[100].At) }},
		"from and to": {Query{From: added[200].At, To: added[100].At}, func(l Line) bool { return !l.At.Before(added[200].At) && l.At.Before(added[100].At) }},
		"all of it": {Query{Who: []string{"anna"}, What: []string{Listen}, Organisations: []string{"acme"}, Recording: "one.part2"}, func(l Line) bool {
			return l.Who == "anna" && l.What == Listen && l.Organisation == "acme" && l.Recording == "one.part2"
		}},
		"who has no one": {Query{Organisations: []string{""}}, func(l Line) bool { return l.Organisation == "" }},
	} {
		t.Run(name, func(t *testing.T) {
			want := slices.DeleteFunc(slices.Clone(added), func(l Line) bool { return !q.wants(l) })
			for _, limit := range []int{1, 7, 100, 1000, 5000} {
				q.Limit = limit
				if got := withoutOffsets(readAll(t, a, q.Query)); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
					t.Errorf("limit %d: %d lines, want %d\n%+v", limit, len(got), len(want), got)
				}
			}
		})
	}
	lines, _, _ := a.Read(t.Context(), Query{Limit: 5000})
	if len(lines) != 400 {
		t.Errorf("%d lines", len(lines))
	}
	file, err := os.ReadFile(a.Path())
	for _, l := range lines {
		if rest := string(file[l.Offset:]); err != nil || l.Offset > 0 && file[l.Offset-1] != '\n' || !strings.HasPrefix(rest, `{"at":"`+l.At.Format(time.RFC3339)) {
			t.Errorf("%+v is not at its offset: %.100q", l, rest)
		}
	}
}

// TestReadAnywhere: Read finds each whole line before Before once, whatever it is.
func TestReadAnywhere(t *testing.T) {
	a := New(t.TempDir(), nil)
	var ends []int
	size := 0
	for i := range 5 {
		if err := a.Add(Line{At: day, Who: fmt.Sprint(i), What: Listen}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(a.Path())
		if err != nil {
			t.Fatal(err)
		}
		size = int(info.Size())
		ends = append(ends, size)
	}
	for before := 1; before <= size+10; before++ {
		whole := 0
		for whole < 5 && ends[whole] <= before {
			whole++
		}
		if got := readAll(t, a, Query{Before: int64(before), Limit: 2}); len(got) != whole || whole > 0 && got[0].Who != fmt.Sprint(whole-1) {
			t.Fatalf("before %d: %+v, want %d", before, got, whole)
		}
	}
	if lines, _, err := a.Read(t.Context(), Query{Before: -5}); len(lines) != 5 || err != nil {
		t.Errorf("%v, %v", lines, err)
	}
}

// TestReadTorn: what is not a whole line is left out, however it came there.
func TestReadTorn(t *testing.T) {
	line := func(n int) string { return fmt.Sprintf(`{"at":"2026-03-09T12:00:00Z","who":"w%d","what":"listen"}`, n) }
	for name, text := range map[string]string{
		"empty":             "",
		"as it should be":   line(1) + "\n" + line(2) + "\n",
		"torn at the end":   line(1) + "\n" + line(2) + "\n" + line(3)[:20],
		"not yet ended":     line(1) + "\n" + line(2) + "\n" + line(3),
		"torn inside":       line(1) + "\n" + line(3)[:20] + "\n" + line(2) + "\n",
		"two in one":        line(1) + "\n" + line(3)[:20] + line(4) + "\n" + line(2) + "\n",
		"empty lines":       "\n\n" + line(1) + "\n\n\n" + line(2) + "\n\n",
		"other JSON":        line(1) + "\n[]\nnull\n5\n\"x\"\n{}\n" + line(2) + "\n",
		"zeros":             line(1) + "\n" + strings.Repeat("\x00", 5000) + "\n" + line(2) + "\n",
		"a very long line":  line(1) + "\n" + strings.Repeat("x", 500_000) + "\n" + line(2) + "\n",
		"a long first line": strings.Repeat("x", 300_000) + "\n" + line(1) + "\n" + line(2) + "\n",
		"a long last line":  line(1) + "\n" + line(2) + "\n" + strings.Repeat("x", 300_000),
	} {
		t.Run(name, func(t *testing.T) {
			a := New(t.TempDir(), nil)
			testkit.WriteFile(t, a.Path(), []byte(text))
			for _, limit := range []int{1, 100} {
				got := ""
				for _, l := range readAll(t, a, Query{Limit: limit}) {
					got += l.Who
				}
				want := "w2w1"
				if text == "" {
					want = ""
				}
				if got != want {
					t.Errorf("limit %d: %s", limit, got)
				}
			}
		})
	}
}

// TestReadBounded: one call looks through a part of a large file, and all calls
// together through all of it, unless only the last hours are asked for.
func TestReadBounded(t *testing.T) {
	a := New(t.TempDir(), nil)
	var text strings.Builder
	for i := 0; text.Len() < 5*maxRead/2; i++ {
		at := "2026-03-09T12:00:00Z"
		switch i {
		case 0:
			at = "2026-03-09T14:00:00Z"
		case 5*maxRead/2/280 - 100: // a line with a wrong time
			at = "1970-01-01T00:00:00Z"
		}
		fmt.Fprintf(&text, `{"at":"%s","who":"w%d","what":"listen","detail":"%0200d"}`+"\n", at, i, 0)
	}
	testkit.WriteFile(t, a.Path(), []byte(text.String()))
	calls := func(q Query) (n, found int) {
		for {
			lines, next, err := a.Read(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			n, found = n+1, found+len(lines)
			if next == 0 {
				return n, found
			}
			q.Before = next
		}
	}
	if n, found := calls(Query{Who: []string{"w0"}}); n != 3 || found != 1 {
		t.Errorf("the first line: %d calls, %d lines", n, found)
	}
	if n, found := calls(Query{Recording: "nowhere"}); n != 3 || found != 0 {
		t.Errorf("nothing: %d calls, %d lines", n, found)
	}
	if n, found := calls(Query{From: day.AddDate(0, 0, 2)}); n != 1 || found != 0 {
		t.Errorf("later than all: %d calls, %d lines", n, found)
	}
	if n, found := calls(Query{From: day.Add(time.Hour)}); n != 3 || found != 1 {
		t.Errorf("a little later than most: %d calls, %d lines", n, found)
	}
	if !strings.Contains(text.String()[text.Len()-maxRead:], `"1970-`) {
		t.Error("the first call does not see the wrong clock")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := a.Read(ctx, Query{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestReadClock: a line with a wrong time hides no lines before it.
func TestReadClock(t *testing.T) {
	a := New(t.TempDir(), nil)
	for i, at := range []time.Time{day, day, time.Unix(0, 0), day.Add(time.Hour), time.Unix(0, 0)} {
		if err := a.Add(Line{At: at, Who: fmt.Sprint(i), What: Listen}); err != nil {
			t.Fatal(err)
		}
	}
	if got := readAll(t, a, Query{From: day, Limit: 1}); len(got) != 3 {
		t.Errorf("%+v", got)
	}
}

func TestReadFails(t *testing.T) {
	a := New(t.TempDir(), nil)
	if err := os.Mkdir(a.Path(), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Read(t.Context(), Query{}); err == nil {
		t.Error("a folder is read")
	}
}

func BenchmarkRead(b *testing.B) {
	a := New(b.TempDir(), nil)
	var text strings.Builder
	for i := 0; text.Len() < maxRead; i++ {
		fmt.Fprintf(&text, `{"at":"2026-03-09T12:00:00Z","who":"anna","what":"listen","organisation":"acme","recording":"5f7ad4b6-0d9f-4be5-9a6c-6d4c8f1f%04x","from":"192.0.2.1"}`+"\n", i)
	}
	testkit.WriteFile(b, a.Path(), []byte(text.String()))
	for name, q := range map[string]Query{"page": {}, "recording": {Recording: "nowhere"}, "who": {Who: []string{"nobody"}}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := a.Read(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
