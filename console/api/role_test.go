package api_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tapedeck/console"
	"tapedeck/console/access"
	"tapedeck/console/api"
	"tapedeck/console/consoletest"
	"tapedeck/console/ops"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// labSees says what the accounts of the lab may see, and labMay what they may do with
// it.
var (
	labSees = map[string][]string{
		"root":  {recAlice, recCarol, recDave, callAlice, callCarol, callDave},
		"north": {recAlice, recCarol, callAlice, callCarol},
		"anna":  {recAlice, recCarol, callAlice, callCarol},
		"sue":   {recAlice, callAlice},
		"lisa":  {recAlice, recCarol, callAlice, callCarol},
		"alice": {recAlice, callAlice},
		"eve":   {recDave, callDave},
	}
	labMay = map[string][]access.Right{
		"lisa":  {access.See, access.Listen},
		"alice": {access.See, access.Listen, access.Control},
	}
)

func labHas(account string, right access.Right) bool {
	may, some := labMay[account]
	return !some || slices.Contains(may, right)
}

// endpoint is an operation on one recording or one live call; {id} is its id.
type endpoint struct {
	method, path, body string
	right              access.Right
	status             int
}

var recordingEndpoints = []endpoint{
	{"GET", "/api/v1/recordings/{id}", "", access.See, 200},
	{"GET", "/api/v1/recordings/{id}/audio.wav", "", access.Listen, 200},
	{"HEAD", "/api/v1/recordings/{id}/audio.wav", "", access.Listen, 200},
	{"GET", "/api/v1/recordings/{id}/audio.wav?download=1", "", access.Download, 200},
	{"GET", "/api/v1/recordings/{id}/audio.mp3", "", access.Listen, 200},
	{"GET", "/api/v1/recordings/{id}/audio.mp3?download=1", "", access.Download, 200},
	{"GET", "/api/v1/recordings/{id}/waveform.svg", "", access.See, 200},
	{"GET", "/api/v1/recordings/{id}/audit", "", access.Audit, 200},
	{"POST", "/api/v1/recordings/{id}/verify", "", access.See, 200},
	{"POST", "/api/v1/recordings.zip", `{"ids":["{id}"]}`, access.Download, 200},
	{"PUT", "/api/v1/recordings/{id}/hold", `{"reason":"case 7"}`, access.Hold, 200},
	{"DELETE", "/api/v1/recordings/{id}/hold", "", access.Hold, 204},
	{"DELETE", "/api/v1/recordings/{id}", `{"reason":"case 7"}`, access.Delete, 204},
}

var callEndpoints = []endpoint{
	{"POST", "/api/v1/calls/{id}/recording", `{"action":"pause"}`, access.Control, 200},
	{"POST", "/api/v1/calls/{id}/recording", `{"action":"resume","user":""}`, access.Control, 200},
}

// TestAPIRoles sends every request as every account: what an account may not see is
// answered as what does not exist.
func TestAPIRoles(t *testing.T) {
	l := newAPILab(t)
	for _, account := range slices.Sorted(maps.Keys(labSees)) {
		for _, e := range recordingEndpoints {
			for _, id := range []string{recAlice, recCarol, recDave} {
				l.try(account, e, id)
			}
			l.again()
		}
		for _, e := range callEndpoints {
			for _, id := range []string{callAlice, callCarol, callDave} {
				l.try(account, e, id)
			}
		}
	}
}

// again restores what was deleted.
func (l *apiLab) again() {
	l.record(labSidecar("acme", recAlice, "alice", "sales"))
	l.record(labSidecar("acme", recCarol, "carol", "support"))
	l.record(labSidecar("beta", recDave, "dave"))
}

func (l *apiLab) try(account string, e endpoint, id string) {
	l.Helper()
	at := func(id string) (*http.Response, string) {
		return l.ask(account, e.method, strings.ReplaceAll(e.path, "{id}", id), strings.ReplaceAll(e.body, "{id}", id))
	}
	res, text := at(id)
	want := e.status
	switch {
	case !slices.Contains(labSees[account], id):
		want = http.StatusNotFound
		other, same := at(nowhere)
		if text != same || other.StatusCode != res.StatusCode || !maps.EqualFunc(plainHeader(other), plainHeader(res), slices.Equal) {
			l.Errorf("%s as %s: what may not be seen gives %d %s, what is not there %d %s", e.path, account, res.StatusCode, text, other.StatusCode, same)
		}
	case !labHas(account, e.right):
		want = http.StatusForbidden
	}
	if res.StatusCode != want {
		l.Errorf("%s %s of %.8s as %s: %d, want %d: %.300s", e.method, e.path, id, account, res.StatusCode, want, text)
	}
}

func plainHeader(r *http.Response) http.Header {
	h := r.Header.Clone()
	h.Del("Date")
	return h
}

// TestAPINobody: without a valid token there is only the OpenAPI document.
func TestAPINobody(t *testing.T) {
	l := newAPILab(t)
	l.doc.eachOperation(func(method, path string, _ map[string]any) {
		want := http.StatusUnauthorized
		if path == "/api/v1/openapi.json" {
			want = http.StatusOK
		}
		path = strings.ReplaceAll(path, "{id}", recAlice)
		l.wants(want, "", method, path, "")
		for _, wrong := range []string{"Bearer td_0", "Bearer", "Basic YTpi", "Bearer " + consoletest.Token("nobody"), "Bearer " + strings.Repeat("x", 100_000)} {
			l.wants(want, "", method, path, "", "Authorization: "+wrong)
		}
	})
	lines := testkit.JSONLines[audit.Line](t, l.Audit.Path())
	if len(lines) != 1 || lines[0].What != audit.WrongToken || lines[0].From != "127.0.0.1" { // one in five minutes from an address
		t.Errorf("audit: %+v", lines)
	}
}

// TestAPILists: lists have only what their visitor may see, whatever the filters are.
func TestAPILists(t *testing.T) {
	l := newAPILab(t)
	for account, sees := range labSees {
		var page struct{ Recordings []ops.RecordingView }
		l.get200(account, "/api/v1/recordings", &page)
		l.sameIDs(account+" list", sees[:len(sees)/2], idsOf(page.Recordings, func(r ops.RecordingView) string { return r.ID }))
		for _, filter := range []string{"organisation=beta", "organisation=acme&organisation=beta", "user=dave", "q=dddddddd", "number=02079460999"} {
			l.get200(account, "/api/v1/recordings?"+filter, &page)
			for _, r := range page.Recordings {
				if !slices.Contains(sees, r.ID) {
					t.Errorf("%s: %s has %s", account, filter, r.ID)
				}
			}
		}
		_, text := l.wants(200, account, "GET", "/api/v1/recordings.csv", "")
		for _, id := range []string{recAlice, recCarol, recDave} {
			if strings.Contains(text, id) != slices.Contains(sees, id) {
				t.Errorf("%s: csv: %s", account, text)
			}
		}
		var calls struct{ Calls []ops.CallView }
		l.get200(account, "/api/v1/calls", &calls)
		l.sameIDs(account+" calls", sees[len(sees)/2:], idsOf(calls.Calls, func(c ops.CallView) string { return c.ID }))
		for _, c := range calls.Calls {
			if labHas(account, access.Control) != (len(c.May) == 1) {
				t.Errorf("%s may %v", account, c.May)
			}
		}
	}
}

func (l *apiLab) get200(account, path string, into any) {
	l.Helper()
	_, text := l.wants(http.StatusOK, account, "GET", path, "")
	if err := json.Unmarshal([]byte(text), into); err != nil {
		l.Fatalf("%s: %v", path, err)
	}
}

func idsOf[T any](list []T, id func(T) string) (ids []string) {
	for _, one := range list {
		ids = append(ids, id(one))
	}
	return ids
}

func (l *apiLab) sameIDs(what string, want, got []string) {
	l.Helper()
	want, got = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))
	if !slices.Equal(want, got) {
		l.Errorf("%s: %v, want %v", what, got, want)
	}
}

// withoutReading are the lines that do not tell that somebody read the audit log.
func withoutReading(lines []audit.Line) []audit.Line {
	return slices.DeleteFunc(lines, func(l audit.Line) bool { return l.What == audit.Read })
}

// TestAPIAuditOfReading: who reads the audit log is in it (PCI DSS 4.0, 10.2.1.3), by the
// API and by the page; and if that cannot be written, nobody reads it.
func TestAPIAuditOfReading(t *testing.T) {
	var evidenced *audit.Log
	l := newAPILab(t, func(c *console.Config) {
		var err error
		if evidenced, err = recording.OpenAudit(c.Dir, filepath.Join(t.TempDir(), "audit"), "host"); err != nil {
			t.Fatal(err)
		}
		c.Audit = evidenced
	})
	l.wants(200, "anna", "GET", "/api/v1/audit?who=root&what=listen", "")
	l.wants(200, "anna", "GET", "/api/v1/audit?who=root&what=listen", "")
	l.wants(200, "root", "GET", "/api/v1/recordings/"+recAlice+"/audit", "")
	l.Page(l.As("north"), "/audit?recording="+recAlice, http.StatusOK)
	l.wants(403, "lisa", "GET", "/api/v1/audit", "")
	var got []string
	for _, line := range testkit.JSONLines[audit.Line](t, l.Audit.Path()) {
		got = append(got, line.Who+" "+line.What+" "+line.Organisation+line.Brand+": "+line.Detail)
	}
	want := []string{"anna audit acme: what listen, who root", "anna audit acme: what listen, who root", "root audit acme: recording " + recAlice, "north audit north: recording " + recAlice}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	log := evidenced.Evidence().Path()
	if err := errors.Join(os.Remove(log), os.Symlink("elsewhere", log)); err != nil { // nothing can be added to it
		t.Fatal(err)
	}
	l.wants(503, "anna", "GET", "/api/v1/audit", "")
}

// TestAPIAuditScope: an account reads the lines about what it may see, and none without
// the right.
func TestAPIAuditScope(t *testing.T) {
	l := newAPILab(t)
	if err := l.Audit.Add(audit.Line{At: labDay, Who: "root", What: audit.SignIn}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{recAlice, recCarol, recDave} {
		l.wants(206, "root", "GET", "/api/v1/recordings/"+id+"/audio.wav", "", "Range: bytes=0-99")
	}
	for account, want := range map[string]string{
		"root": recDave + " " + recCarol + " " + recAlice + " ", "north": recCarol + " " + recAlice, "anna": recCarol + " " + recAlice,
		"sue": recAlice, "eve": recDave,
	} {
		for _, query := range []string{"", "?organisation=acme", "?organisation=beta", "?recording=" + recDave, "?recording=" + recAlice + "&who=root&what=listen"} {
			var page api.AuditView
			l.get200(account, "/api/v1/audit"+query, &page)
			var got []string
			for _, line := range withoutReading(page.Lines) {
				got = append(got, line.Recording)
			}
			if query == "" && strings.Join(got, " ") != want {
				t.Errorf("%s: %q, want %q", account, got, want)
			}
			for _, id := range got {
				if !slices.Contains(strings.Split(want, " "), id) {
					t.Errorf("%s: %s has %s", account, query, id)
				}
			}
		}
	}
	l.wants(403, "lisa", "GET", "/api/v1/audit", "")
	l.wants(403, "alice", "GET", "/api/v1/audit", "")
}

// TestAPIAuditOfExports: the audit log of an organisation has every export of its list,
// and nothing about other organisations.
func TestAPIAuditOfExports(t *testing.T) {
	l := newAPILab(t)
	both := "?organisation=acme&organisation=beta&user=alice"
	for _, export := range [][2]string{{"anna", ""}, {"anna", both}, {"anna", "?organisation=beta"}, {"north", ""}, {"north", "?organisation=beta"}, {"root", both}} {
		l.wants(200, export[0], "GET", "/api/v1/recordings.csv"+export[1], "")
	}
	anna := "anna acme csv organisation=beta, anna acme csv user=alice, anna acme csv"
	for account, want := range map[string]string{
		"anna":  "root acme csv user=alice, north acme csv, " + anna,
		"north": "root acme csv user=alice, north north csv organisation=beta, north acme csv, " + anna,
		"eve":   "root beta csv user=alice",
	} {
		var page api.AuditView
		l.get200(account, "/api/v1/audit?what=export", &page)
		got := strings.Join(idsOf(page.Lines, func(a audit.Line) string {
			return a.Who + " " + a.Organisation + a.Brand + " " + a.Detail
		}), ", ")
		if got != want {
			t.Errorf("%s reads %q, want %q", account, got, want)
		}
	}
}

// TestAPIAuditOfBrand: the audit log of a brand has the sign-ins of the brand's accounts.
// The audit log of one organisation has not.
func TestAPIAuditOfBrand(t *testing.T) {
	l := newAPILab(t)
	for _, password := range []string{consoletest.Password, "wrong"} {
		l.SignIn(l.Client(), "north", password, "")
	}
	for at, want := range map[[2]string]int{{"north", ""}: 2, {"root", ""}: 2, {"anna", ""}: 0, {"eve", ""}: 0, {"north", "&organisation=acme"}: 0} {
		var page api.AuditView
		l.get200(at[0], "/api/v1/audit?who=north"+at[1], &page)
		if lines := withoutReading(page.Lines); len(lines) != want {
			t.Errorf("%s reads %+v, want %d lines", at, lines, want)
		}
	}
	if page := l.Page(l.As("north"), "/audit", http.StatusOK); !strings.Contains(page, "brand north") {
		t.Error("the page does not say whose account it was")
	}
}
