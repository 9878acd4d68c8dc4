package api_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// badBodies are bodies with a mistake, which every operation refuses that reads one.
var badBodies = []struct {
	name, body string
	status     int
	headers    []string
}{
	{"no JSON", `{`, 400, nil},
	{"a list", `[]`, 400, nil},
	{"a text", `"x"`, 400, nil},
	{"null", `null`, 400, nil},
	{"a number", `7`, 400, nil},
	{"two objects", `{}{}`, 400, nil},
	{"something after it", `{} x`, 400, nil},
	{"unknown", `{"nope":1}`, 400, nil},
	{"another's case", `{"REASON":"x","IDS":[],"ACTION":"pause"}`, 400, nil},
	{"deep", strings.Repeat(`{"a":`, 10_000), 400, nil},
	{"a deep value", `{"reason":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, 400, nil},
	{"no UTF-8", "{\"reason\":\"\xff\xfe\"}", 400, nil},
	{"NUL", "{\"reason\":\"a\x00b\"}", 400, nil},
	{"no JSON by its type", `{}`, 415, []string{"Content-Type: text/plain"}},
	{"a form", `reason=x`, 415, []string{"Content-Type: application/x-www-form-urlencoded"}},
	{"a type that is none", `{}`, 415, []string{"Content-Type: ;;;"}},
	{"64 KB and one", strings.Repeat(" ", 64<<10) + "{}", 413, nil},
}

func TestBadBodies(t *testing.T) {
	l := newAPILab(t)
	for _, e := range []endpoint{
		{"POST", "/api/v1/recordings.zip", "", "", 0},
		{"PUT", "/api/v1/recordings/" + recAlice + "/hold", "", "", 0},
		{"DELETE", "/api/v1/recordings/" + recAlice, "", "", 0},
		{"POST", "/api/v1/calls/" + callAlice + "/recording", "", "", 0},
	} {
		for _, b := range badBodies {
			if res, text := l.ask("root", e.method, e.path, b.body, b.headers...); res.StatusCode != b.status {
				t.Errorf("%s %s: %s: %d, want %d: %.200s", e.method, e.path, b.name, res.StatusCode, b.status, text)
			}
		}
		l.endless(e, -1)
		l.endless(e, 10<<20)
	}
	if got := l.calls.was(); got != "" {
		t.Errorf("pressed: %s", got)
	}
}

// endless sends a body of 10 MB. length is its Content-Length; -1: not said.
func (l *apiLab) endless(e endpoint, length int64) {
	l.Helper()
	const begin = `{"reason":"`
	body := io.MultiReader(strings.NewReader(begin), strings.NewReader(strings.Repeat("x", 10<<20-len(begin))))
	r, err := http.NewRequestWithContext(l.Context(), e.method, l.URL+e.path, body)
	if err != nil {
		l.Fatal(err)
	}
	r.ContentLength = length
	r.Header.Set("Content-Type", "application/json")
	res, err := l.Bearer("root").Do(r)
	if err != nil { // the server has closed the connection before all was sent
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, io.EOF) {
			l.Errorf("%s: %v", e.path, err)
		}
		return
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		l.Errorf("%s: %d", e.path, res.StatusCode)
	}
}

// TestBadFields: bodies that are JSON, with values that the operation does not take.
func TestBadFields(t *testing.T) {
	l := newAPILab(t)
	for path, bodies := range map[string][]string{
		"POST /api/v1/calls/" + callAlice + "/recording": {
			`{}`, `{"action":""}`, `{"action":"stop"}`, `{"action":"PAUSE"}`, `{"action":1}`, `{"action":null}`, `{"action":["pause"]}`, `{"action":{"a":1}}`,
			`{"action":"pause","action":"pause"}`, `{"action":"pause","user":7}`, `{"action":"pause","user":null}`, `{"action":"pause","force":true}`,
			`{"action":"pause","user":"a\u0000"}`, `{"action":"pause","user":"\ud800"}`, `{"Action":"pause"}`, `{"action":"pause","user":"` + strings.Repeat("x", 65) + `"}`,
		},
		"POST /api/v1/recordings.zip": {
			`{}`, `{"ids":[]}`, `{"ids":"` + recAlice + `"}`, `{"ids":[1]}`, `{"ids":[null]}`, `{"ids":null}`, `{"ids":[["x"]]}`, `{"ids":["` + recAlice + `"],"ids":[]}`,
			`{"ids":["\u0000"]}`, `{"ids":[` + manyIDs(201) + `]}`,
		},
		"PUT /api/v1/recordings/" + recAlice + "/hold": {
			`{}`, `{"reason":""}`, `{"reason":"   "}`, `{"reason":1}`, `{"reason":null}`, `{"reason":"` + strings.Repeat("x", 1001) + `"}`, `{"reason":"x","by":"somebody"}`,
		},
		"DELETE /api/v1/recordings/" + recAlice: {`{}`, `{"reason":""}`, `{"reason":[]}`, `{"reason":"\ud800"}`},
	} {
		method, path, _ := strings.Cut(path, " ")
		for _, body := range bodies {
			if _, text := l.wants(400, "root", method, path, body); !strings.Contains(text, "bad_request") {
				t.Errorf("%s %.100s: %s", path, body, text)
			}
		}
	}
	l.wants(400, "root", "DELETE", "/api/v1/recordings/"+recAlice, "")
	l.wants(400, "root", "DELETE", "/api/v1/recordings/"+recAlice+"?reason=a", `{"reason":"b"}`)
	l.wants(400, "root", "DELETE", "/api/v1/recordings/"+recAlice+"?resaon=a", "")
	l.wants(200, "root", "GET", "/api/v1/recordings/"+recAlice, "")
	if got := l.calls.was(); got != "" {
		t.Errorf("pressed: %s", got)
	}
}

func manyIDs(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("%q", fmt.Sprint(i)))
	}
	return strings.Join(list, ",")
}

// TestBadQueries: filters with a mistake.
func TestBadQueries(t *testing.T) {
	l := newAPILab(t)
	for _, query := range []string{
		"limit=0", "limit=201", "limit=-1", "limit=x", "limit=1e2", "limit=10&limit=20", "cursor=x", "cursor=" + strings.Repeat("A", 300), "cursor=Li4vLi4vLi4",
		"from=yesterday", "from=2026-13-01", "from=99999-01-01", "to=0000-00-00", "from=2026-11-21&to=2026-11-20", "trigger=both", "problems=yes", "user=a&user=b",
		"q=%00", "q=%ff", "user=" + strings.Repeat("x", 300), "usr=alice", "number=%0a", "%zz=1", "a;b",
	} {
		l.wants(400, "anna", "GET", "/api/v1/recordings?"+query, "")
		l.wants(400, "anna", "GET", "/api/v1/recordings.csv?"+query, "")
	}
	for _, query := range []string{"limit=x", "cursor=x", "cursor=-1", "cursor=99999999999999999999", "from=x", "wat=1"} {
		l.wants(400, "anna", "GET", "/api/v1/audit?"+query, "")
		l.wants(400, "anna", "GET", "/api/v1/recordings/"+recAlice+"/audit?"+query, "")
	}
	l.wants(200, "anna", "GET", "/api/v1/audit?cursor=9223372036854775807", "")
	l.wants(400, "anna", "GET", wavOfAlice+"?download=yes", "")
	l.wants(400, "anna", "GET", wavOfAlice+"?dowload=1", "")
}

// TestNoSuchRoute: a path or method without an operation is answered with a problem.
func TestNoSuchRoute(t *testing.T) {
	l := newAPILab(t)
	for path, allow := range map[string]string{
		"/api/": "", "/api/v1": "", "/api/v1/": "", "/api/v2/recordings": "", "/api/v1/recordings/": "", "/api/v1/recordings/x/y": "", "/api/v1/openapi.yaml": "",
		"/api/v1/recordings": "GET, HEAD", "/api/v1/recordings.zip": "POST", "/api/v1/recordings/" + recAlice: "GET, DELETE, HEAD",
		"/api/v1/recordings/" + recAlice + "/hold": "PUT, DELETE", "/api/v1/calls": "GET, HEAD",
	} {
		for _, account := range []string{"", "root"} {
			res, _ := l.ask(account, "PATCH", path, "")
			want := http.StatusNotFound
			if allow != "" {
				want = http.StatusMethodNotAllowed
			}
			if res.StatusCode != want || res.Header.Get("Allow") != allow {
				t.Errorf("%s: %d %q", path, res.StatusCode, res.Header.Get("Allow"))
			}
		}
	}
}
