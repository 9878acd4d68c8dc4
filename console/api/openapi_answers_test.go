package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"tapedeck/console"
	"tapedeck/console/api"
	"tapedeck/recording"

	"tapedeck/toggle"
)

// TestOpenAPIAnswers gets from every operation each answer that the document names. ask
// checks each against its schema.
func TestOpenAPIAnswers(t *testing.T) {
	shop := &busyShop{}
	l := newAPILab(t, func(cfg *console.Config) { cfg.Workshop = shop })
	one, none := "/api/v1/recordings/"+recAlice, "/api/v1/recordings/"+nowhere
	silent := labSidecar("acme", recCarol, "carol", "support")
	silent.File, silent.Spans = nil, nil
	silent.AddProblem(recording.NotStarted, "")
	l.record(silent)
	big := `{"reason":"` + strings.Repeat("x", api.MaxJSON) + `"}`
	zip := `{"ids":["` + recAlice + `"]}`
	text := "Content-Type: text/plain"
	res, _ := l.wants(200, "anna", "GET", one+"/audio.wav", "")
	tag := res.Header.Get("ETag")
	res, _ = l.wants(200, "anna", "GET", one+"/audio.mp3", "")
	tag3 := res.Header.Get("ETag")
	for _, e := range []struct {
		status                      int
		account, method, path, body string
		headers                     []string
	}{
		{200, "root", "GET", "/api/v1/recordings?limit=1", "", nil},
		{400, "root", "GET", "/api/v1/recordings?limit=x", "", nil},
		{200, "root", "GET", "/api/v1/recordings.csv", "", nil},
		{400, "root", "GET", "/api/v1/recordings.csv?x=y", "", nil},
		{200, "anna", "GET", one, "", nil},
		{200, "anna", "GET", "/api/v1/recordings/" + recCarol, "", nil},
		{404, "anna", "GET", none, "", nil},
		{200, "anna", "GET", one + "/audio.wav", "", nil},
		{200, "anna", "HEAD", one + "/audio.wav", "", nil},
		{206, "anna", "GET", one + "/audio.wav", "", []string{"Range: bytes=1-2"}},
		{206, "anna", "GET", one + "/audio.wav", "", []string{"Range: bytes=1-2,5-6"}},
		{304, "anna", "GET", one + "/audio.wav", "", []string{"If-None-Match: " + tag}},
		{400, "anna", "GET", one + "/audio.wav?x=y", "", nil},
		{403, "lisa", "GET", one + "/audio.wav?download=1", "", nil},
		{404, "anna", "GET", "/api/v1/recordings/" + recCarol + "/audio.wav", "", nil},
		{412, "anna", "GET", one + "/audio.wav", "", []string{`If-Match: "x"`}},
		{416, "anna", "GET", one + "/audio.wav", "", []string{"Range: bytes=9999999-"}},
		{200, "anna", "GET", one + "/audio.mp3?download=1", "", nil},
		{206, "anna", "GET", one + "/audio.mp3", "", []string{"Range: bytes=1-2"}},
		{304, "anna", "GET", one + "/audio.mp3", "", []string{"If-None-Match: " + tag3}},
		{400, "anna", "GET", one + "/audio.mp3?download=2", "", nil},
		{403, "lisa", "GET", one + "/audio.mp3?download=1", "", nil},
		{404, "anna", "GET", none + "/audio.mp3", "", nil},
		{412, "anna", "GET", one + "/audio.mp3", "", []string{`If-Match: "x"`}},
		{416, "anna", "GET", one + "/audio.mp3", "", []string{"Range: bytes=9999999-"}},
		{200, "anna", "GET", one + "/waveform.svg", "", nil},
		{404, "anna", "GET", none + "/waveform.svg", "", nil},
		{200, "anna", "POST", one + "/verify", "", nil},
		{200, "anna", "POST", "/api/v1/recordings/" + recCarol + "/verify", "{}", nil},
		{400, "anna", "POST", one + "/verify", "[]", nil},
		{413, "anna", "POST", one + "/verify", big, nil},
		{415, "anna", "POST", one + "/verify", "{}", []string{text}},
		{404, "anna", "POST", none + "/verify", "", nil},
		{200, "anna", "PUT", one + "/hold", `{"reason":"case 7"}`, nil},
		{200, "anna", "GET", one, "", nil},
		{409, "anna", "DELETE", one + "?reason=x", "", nil},
		{400, "anna", "PUT", one + "/hold", `{}`, nil},
		{403, "lisa", "PUT", one + "/hold", `{"reason":"case 7"}`, nil},
		{404, "anna", "PUT", none + "/hold", `{"reason":"case 7"}`, nil},
		{413, "anna", "PUT", one + "/hold", big, nil},
		{415, "anna", "PUT", one + "/hold", "x", []string{text}},
		{204, "anna", "DELETE", one + "/hold", "", nil},
		{400, "anna", "DELETE", one + "/hold", "[]", nil},
		{403, "lisa", "DELETE", one + "/hold", "", nil},
		{404, "anna", "DELETE", none + "/hold", "", nil},
		{413, "anna", "DELETE", one + "/hold", big, nil},
		{415, "anna", "DELETE", one + "/hold", "x", []string{text}},
		{200, "anna", "GET", one + "/audit?limit=2", "", nil},
		{400, "anna", "GET", one + "/audit?limit=x", "", nil},
		{403, "lisa", "GET", one + "/audit", "", nil},
		{404, "anna", "GET", none + "/audit", "", nil},
		{200, "anna", "POST", "/api/v1/recordings.zip", zip, nil},
		{400, "anna", "POST", "/api/v1/recordings.zip", "{}", nil},
		{403, "lisa", "POST", "/api/v1/recordings.zip", zip, nil},
		{404, "eve", "POST", "/api/v1/recordings.zip", zip, nil},
		{413, "anna", "POST", "/api/v1/recordings.zip", big, nil},
		{415, "anna", "POST", "/api/v1/recordings.zip", zip, []string{text}},
		{200, "anna", "GET", "/api/v1/calls", "", nil},
		{200, "anna", "POST", pressOnAlice, `{"action":"pause"}`, nil},
		{400, "anna", "POST", pressOnAlice, `{"action":"stop"}`, nil},
		{403, "lisa", "POST", pressOnAlice, `{"action":"pause"}`, nil},
		{404, "eve", "POST", pressOnAlice, `{"action":"pause"}`, nil},
		{413, "anna", "POST", pressOnAlice, big, nil},
		{415, "anna", "POST", pressOnAlice, `{"action":"pause"}`, []string{text}},
		{200, "root", "GET", "/api/v1/audit", "", nil},
		{400, "root", "GET", "/api/v1/audit?limit=x", "", nil},
		{403, "lisa", "GET", "/api/v1/audit", "", nil},
		{200, "", "GET", "/api/v1/openapi.json", "", nil},
		{400, "anna", "DELETE", one, "{}", nil},
		{403, "lisa", "DELETE", one + "?reason=x", "", nil},
		{404, "anna", "DELETE", none + "?reason=x", "", nil},
		{413, "anna", "DELETE", one, big, nil},
		{415, "anna", "DELETE", one, "x", []string{text}},
	} {
		l.wants(e.status, e.account, e.method, e.path, e.body, e.headers...)
	}
	if _, got := l.ask("anna", "GET", one, ""); strings.Count(got, `"spans":[{`) != 1 {
		t.Errorf("%s", got)
	}
	l.tooManyWaiting(shop, "anna")
	l.calls.answer(toggle.Refusal("locked"))
	l.wants(409, "anna", "POST", pressOnAlice, `{"action":"pause"}`)
	l.view(l.Bearer("root")).wants("calls aaaa:paused cccc:on dddd:on")
	l.forged(one)
	l.nobody()
	l.wants(204, "anna", "DELETE", one+"?reason=x", "")
	l.away(zip)
	l.doc.eachOperation(func(method, path string, operation map[string]any) {
		for status := range mapAt(operation, "responses") {
			if name := method + " " + path + " " + status; status != "default" && !l.doc.seen[name] {
				t.Errorf("not seen: %s", name)
			}
		}
	})
}

// forged sends a request with a session and without its CSRF token.
func (l *apiLab) forged(one string) {
	l.Helper()
	browser := l.As("anna")
	r, err := http.NewRequestWithContext(l.Context(), "POST", l.URL+one+"/verify", nil)
	if err != nil {
		l.Fatal(err)
	}
	res, err := browser.Do(r)
	if err != nil {
		l.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil {
		err = l.doc.check(res, string(body))
	}
	if err != nil || res.StatusCode != 403 {
		l.Errorf("%d: %v", res.StatusCode, err)
	}
}

// nobody sends every request without a token.
func (l *apiLab) nobody() {
	l.doc.eachOperation(func(method, path string, _ map[string]any) {
		if path != "/api/v1/openapi.json" {
			l.wants(401, "", method, strings.ReplaceAll(path, "{id}", recAlice), "")
		}
	})
}

// away sends every request while Redis does not answer.
func (l *apiLab) away(zip string) {
	for range 19 { // with the one above, all the streams that root may have
		l.view(l.Bearer("root"))
	}
	if err := l.Store.Close(); err != nil {
		l.Fatal(err)
	}
	bodies := map[string]string{"POST /api/v1/recordings.zip": zip, "POST /api/v1/calls/{id}/recording": `{"action":"pause"}`,
		"PUT /api/v1/recordings/{id}/hold": `{"reason":"x"}`, "DELETE /api/v1/recordings/{id}": `{"reason":"x"}`}
	l.doc.eachOperation(func(method, path string, _ map[string]any) {
		account := "root"
		if path == "/api/v1/audit" {
			account = "sue" // whose lines are chosen by the index
		}
		if path != "/api/v1/openapi.json" {
			l.wants(503, account, method, strings.ReplaceAll(path, "{id}", recAlice), bodies[method+" "+path])
		}
	})
}
