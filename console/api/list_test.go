package api_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/console/api"
	"tapedeck/console/consoletest"
	"tapedeck/console/ops"
	"tapedeck/console/query"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// TestListPaging: following the cursors, or the links, gives every recording once, the
// newest first.
func TestListPaging(t *testing.T) {
	l := newAPILab(t)
	want := []string{recCarol, recAlice}
	for i := range 25 {
		side := labSidecar("acme", fmt.Sprintf("ffffffff-0000-4000-8000-%012d", i), "bob")
		side.Started = labDay.Add(time.Duration(i/3+1) * time.Minute)
		l.record(side)
		want = append(want, side.Call)
	}
	link := "/api/v1/recordings?organisation=acme&limit=4"
	var got []string
	for pages := 0; link != ""; pages++ {
		var page struct {
			Recordings []ops.RecordingView
			Next       string
		}
		res, _ := l.wants(200, "root", "GET", link, "")
		l.get200("root", link, &page)
		got = append(got, idsOf(page.Recordings, func(r ops.RecordingView) string { return r.ID })...)
		found := regexp.MustCompile(`^<(.*)>; rel="next"$`).FindStringSubmatch(res.Header.Get("Link"))
		if (found != nil) != (page.Next != "") || len(page.Recordings) > 4 || pages > 20 {
			t.Fatalf("%s: link %v, next %q, %d recordings", link, found, page.Next, len(page.Recordings))
		}
		link = ""
		if found != nil {
			link = found[1]
			if u, err := url.Parse(link); err != nil || u.Query().Get("cursor") != page.Next || u.Query().Get("limit") != "4" {
				t.Errorf("link %s, next %s", link, page.Next)
			}
		}
	}
	l.sameIDs("paged", want, got)
	if got[0] < got[1] || !slices.Equal(got[25:], []string{recCarol, recAlice}) {
		t.Errorf("order: %v", got)
	}
	// A cursor of another account's list shows nothing of it.
	cursor := url.QueryEscape(query.CursorText(l.index(labSidecar("acme", recAlice, "alice")).Cursor()))
	var page struct{ Recordings []ops.RecordingView }
	l.get200("eve", "/api/v1/recordings?cursor="+cursor, &page)
	for _, r := range page.Recordings {
		if r.Organisation != "beta" {
			t.Errorf("eve has %s of %s", r.ID, r.Organisation)
		}
	}
}

// TestListFilters: each filter finds what it should, in the list and in the CSV.
func TestListFilters(t *testing.T) {
	l := newAPILab(t)
	side := labSidecar("acme", recCarol, "carol", "support")
	side.Trigger, side.RequestedBy, side.External = "on-demand", "carol", "+442079460555"
	side.Started, side.Problems = labDay.Add(24*time.Hour), []string{"lost"}
	l.index(side)
	both, alice, carol := []string{recAlice, recCarol}, []string{recAlice}, []string{recCarol}
	for query, want := range map[string][]string{
		"": both, "user=alice": alice, "group=support": carol, "trigger=on-demand": carol, "trigger=automatic": alice, "problems=1": carol, "problems=0": both,
		"number=%2B442079460555": carol, "number=+442079460555": carol, "number=020+7946+0555": carol, "number=%2B442079460001": both,
		"from=2026-11-21": carol, "to=2026-11-20": alice, "to=2026-11-21": both, "from=2026-11-20T09:00:00Z&to=2026-11-20T09:00:00.001Z": alice,
		"from=2026-11-20T10:00:00%2B01:00&to=2026-11-20T10:00:01+01:00": alice, "to=2026-11-20T09:00:00Z": nil, "q=caro": carol, "user=": both, "organisation=acme": both,
		"organisation=beta": nil, "organisation=none": nil, "user=alice&group=support": nil,
	} {
		var page struct{ Recordings []ops.RecordingView }
		l.get200("anna", "/api/v1/recordings?"+query, &page)
		l.sameIDs(query, want, idsOf(page.Recordings, func(r ops.RecordingView) string { return r.ID }))
		_, text := l.wants(200, "anna", "GET", "/api/v1/recordings.csv?"+query, "")
		lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		l.sameIDs("csv "+query, want, idsOf(lines[1:], func(line []string) string { return line[0] }))
	}
}

// TestCSV: a text stays one cell, and no spreadsheet takes it for a formula.
func TestCSV(t *testing.T) {
	l := newAPILab(t)
	for external, want := range map[string]string{
		"=1+1": "'=1+1", "+1-2": "'+1-2", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'=1", "+442079460999": "+442079460999",
		"+": "'+", "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0", " =1": "' =1", "＝1": "'＝1", "%0A": "'%0A", `a"b,c`: `a"b,c`, "a\nb": "a\nb", "\n=1": "'\n=1", "": "", "020": "020",
		"|calc": "'|calc",
	} {
		side := labSidecar("acme", recAlice, "alice", "sales")
		side.External, side.Users, side.Problems = external, []string{external, "bob"}, []string{external}
		l.index(side)
		_, text := l.wants(200, "alice", "GET", "/api/v1/recordings.csv", "")
		if external != "" { // alice does not talk on it, so she does not see it
			if strings.Contains(text, recAlice) {
				t.Errorf("%q: alice sees it", external)
			}
		}
		_, text = l.wants(200, "sue", "GET", "/api/v1/recordings.csv", "")
		lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(lines) != 2 || len(lines[1]) != 20 || lines[0][0] != "id" || lines[0][5] != "external" {
			t.Fatalf("%q: %v: %q", external, err, lines)
		}
		if got := lines[1][5]; got != want {
			t.Errorf("%q is %q, want %q", external, got, want)
		}
		for _, cell := range lines[1] {
			if strings.IndexAny(cell, "=-@\t\r\n|%") == 0 {
				t.Errorf("%q: cell %q", external, cell)
			}
		}
	}
	res, text := l.wants(200, "anna", "GET", "/api/v1/recordings.csv?user=carol", "")
	if !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment; filename=") || !strings.Contains(text, "2026-11-20T09:00:00.000Z") {
		t.Errorf("%v\n%s", res.Header, text)
	}
	for _, want := range []string{`"what":"export"`, `"detail":"csv user=carol"`, `"who":"anna"`} {
		if !strings.Contains(l.Audited(), want) {
			t.Errorf("no %s in %s", want, l.Audited())
		}
	}
}

// exportPage is how many recordings an export reads at once (ops/csv.go).
const exportPage = 500

// TestCSVPages: an export of several pages is whole.
func TestCSVPages(t *testing.T) {
	l := newAPILab(t)
	const n = 2*exportPage + 7
	for i := range n {
		side := labSidecar("beta", fmt.Sprintf("ffffffff-0000-4000-8000-%012d", i), "dave")
		l.Store.Index.Save(indexEntry(side, i))
	}
	testkit.Until(l, "the index is written", func() bool { return l.Store.Index.Queued() == 0 })
	_, text := l.wants(200, "eve", "GET", "/api/v1/recordings.csv", "")
	if got := strings.Count(text, "\r\n"); got != n+2 {
		t.Errorf("%d lines, want %d", got, n+2)
	}
}

// cutting is an answer that does something at its first bytes.
type cutting struct {
	*httptest.ResponseRecorder
	then func()
}

func (w *cutting) Write(p []byte) (int, error) {
	w.then()
	return w.ResponseRecorder.Write(p)
}

// TestCSVCut: an export that cannot be read to its end does not look whole.
func TestCSVCut(t *testing.T) {
	l := newAPILab(t)
	for i := range exportPage {
		l.Store.Index.Save(indexEntry(labSidecar("beta", fmt.Sprintf("ffffffff-0000-4000-8000-%012d", i), "dave"), i))
	}
	testkit.Until(l, "the index is written", func() bool { return l.Store.Index.Queued() == 0 })
	r := httptest.NewRequest("GET", "/api/v1/recordings.csv", nil)
	r.Header.Set("Authorization", "Bearer "+consoletest.Token("eve"))
	w := &cutting{httptest.NewRecorder(), func() { _ = l.Store.Close() }}
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("it ends with %v", cause)
		}
		if n := strings.Count(w.Body.String(), "\r\n"); n < 2 || n > exportPage+1 {
			t.Errorf("%d lines", n)
		}
	}()
	l.Server.Handler().ServeHTTP(w, r)
	t.Error("it looks whole")
}

// TestHold: a held recording cannot be deleted until it is released, and its sidecar says
// who holds it.
func TestHold(t *testing.T) {
	l := newAPILab(t)
	at := "/api/v1/recordings/" + recAlice
	_, text := l.wants(200, "anna", "PUT", at+"/hold", `{"reason":" case 7 "}`)
	if !strings.Contains(text, `"by":"anna"`) || !strings.Contains(text, `"reason":"case 7"`) {
		t.Error(text)
	}
	if _, text := l.wants(409, "root", "DELETE", at+"?reason=x", ""); code(t, text) != "held" {
		t.Error(text)
	}
	var one struct {
		Recording ops.RecordingView
		Sidecar   recording.Sidecar
	}
	testkit.Until(l, "the index says that it is held", func() bool {
		l.get200("root", at, &one)
		return one.Recording.Held
	})
	if one.Sidecar.Hold == nil || one.Sidecar.Hold.By != "anna" || one.Recording.DurationMS != 2000 || len(one.Sidecar.Spans) != 2 {
		t.Errorf("%+v", one)
	}
	l.wants(204, "root", "DELETE", at+"/hold", "")
	l.wants(204, "root", "DELETE", at+"/hold", "") // it is not held any more
	l.wants(204, "root", "DELETE", at, `{"reason":"asked for by the caller"}`)
	testkit.Until(l, "it has gone", func() bool {
		res, _ := l.ask("root", "GET", at, "")
		return res.StatusCode == 404
	})
	l.wants(404, "root", "DELETE", at+"?reason=x", "")
	var page api.AuditView
	l.get200("root", "/api/v1/audit?recording="+recAlice, &page)
	got := idsOf(page.Lines, func(a audit.Line) string { return a.Who + " " + a.What + " " + a.Detail })
	if want := []string{"root delete asked for by the caller", "root unhold ", "anna hold case 7"}; !slices.Equal(got, want) {
		t.Errorf("audit: %q", got)
	}
}

// TestHoldWithoutFile: a recording that was wanted and has no file stays in the
// list when it is held, and when it is released.
func TestHoldWithoutFile(t *testing.T) {
	l := newAPILab(t)
	const id = "bbbbbbbb-0000-4000-8000-00000000000b"
	s := labSidecar("acme", id, "alice", "sales")
	s.File, s.Spans, s.Complete, s.Problems = nil, nil, false, []string{recording.NotStarted + ": -ERR Cannot record session!"}
	l.record(s)
	at := "/api/v1/recordings/" + id
	for _, change := range []func(){
		func() { l.wants(200, "anna", "PUT", at+"/hold", `{"reason":"case 7"}`) },
		func() { l.wants(204, "anna", "DELETE", at+"/hold", "") },
	} {
		change()
		testkit.Until(l, "the index is written", func() bool { return l.Store.Index.Queued() == 0 })
		l.wants(200, "anna", "GET", at, "")
	}
}
