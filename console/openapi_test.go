package console

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tapedeck/recording"
)

// at is what is found in the document by a path of names.
func (d *apiDoc) at(names ...string) map[string]any {
	value := d.doc
	for _, name := range names {
		value, _ = value[name].(map[string]any)
	}
	if target, ok := value["$ref"].(string); ok {
		return d.at(strings.Split(strings.TrimPrefix(target, "#/"), "/")...)
	}
	return value
}

// check refuses an answer that is not in the document.
func (d *apiDoc) check(mux *http.ServeMux, res *http.Response, text string) error {
	_, pattern := mux.Handler(res.Request)
	method, path, _ := strings.Cut(pattern, " ")
	if path == "" || d.at("paths", path) == nil { // there is no such operation
		return d.checkProblem(res, text)
	}
	status := strconv.Itoa(res.StatusCode)
	operation := []string{"paths", path, strings.ToLower(method), "responses", status}
	answer := d.at(operation...)
	if answer == nil {
		operation[len(operation)-1] = "default"
		if answer = d.at(operation...); answer == nil || res.StatusCode < 400 {
			return errors.New("the document has no such answer")
		}
	}
	d.seen[method+" "+path+" "+status] = true
	for name := range mapAt(answer, "headers") {
		if name != "Link" && name != "Content-Range" && res.Header.Get(name) == "" {
			return fmt.Errorf("it has no %s", name)
		}
	}
	content := mapAt(answer, "content")
	if len(content) == 0 {
		if text != "" {
			return errors.New("it has a body")
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || content[kind] == nil {
		return fmt.Errorf("it is %q", kind)
	}
	if mapAt(content, kind, "schema") == nil || res.Request.Method == http.MethodHead {
		return nil
	}
	if ref, ok := mapAt(d.doc, operation...)["$ref"].(string); ok {
		operation = strings.Split(strings.TrimPrefix(ref, "#/"), "/")
	}
	return d.validate(append(operation, "content", kind, "schema"), text)
}

func (d *apiDoc) checkProblem(res *http.Response, text string) error {
	if kind := res.Header.Get("Content-Type"); kind != "application/problem+json" {
		return fmt.Errorf("it is %q", kind)
	}
	return d.validate([]string{"components", "schemas", "Problem"}, text)
}

// validate holds a body against a schema of the document.
func (d *apiDoc) validate(schema []string, text string) error {
	var pointer strings.Builder
	for _, name := range schema {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
		pointer.WriteString("/" + url.PathEscape(name))
	}
	compiled, err := d.jsc.Compile(docURL + "#" + pointer.String())
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

func mapAt(value map[string]any, names ...string) map[string]any {
	for _, name := range names {
		value, _ = value[name].(map[string]any)
	}
	return value
}

// eachOperation goes through the operations of the document.
func (d *apiDoc) eachOperation(do func(method, path string, operation map[string]any)) {
	paths := d.at("paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		operations := d.at("paths", path)
		for _, method := range slices.Sorted(maps.Keys(operations)) {
			do(strings.ToUpper(method), path, mapAt(operations, method))
		}
	}
}

// TestOpenAPIRoutes: the document has the operations that there are and no other,
// its schemas are schemas, and its references lead somewhere.
func TestOpenAPIRoutes(t *testing.T) {
	d := readAPIDoc(t)
	if d.doc["openapi"] != "3.1.0" {
		t.Errorf("openapi: %v", d.doc["openapi"])
	}
	source, err := os.ReadFile("api.go")
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:s\.api|s\.mux\.HandleFunc)\("([A-Z]+ /api/v1/[^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		routes[m[1]] = true
	}
	ids := map[string]bool{}
	d.eachOperation(func(method, path string, operation map[string]any) {
		if !routes[method+" "+path] {
			t.Errorf("%s %s is in the document only", method, path)
		}
		delete(routes, method+" "+path)
		id, _ := operation["operationId"].(string)
		if id == "" || ids[id] {
			t.Errorf("%s %s: operationId %q", method, path, id)
		}
		ids[id] = true
		d.parameters(t, path, operation)
	})
	if len(routes) > 0 {
		t.Errorf("not in the document: %v", slices.Sorted(maps.Keys(routes)))
	}
	for name := range d.at("components", "schemas") {
		if _, err := d.jsc.Compile(docURL + "#/components/schemas/" + name); err != nil {
			t.Error(err)
		}
	}
	for _, m := range regexp.MustCompile(`"\$ref": "#/([^"]+)"`).FindAllSubmatch(openAPI, -1) {
		if d.at(strings.Split(string(m[1]), "/")...) == nil {
			t.Errorf("%s leads nowhere", m[0])
		}
	}
}

// parameters looks whether the parameters of a path are declared, and no others.
func (d *apiDoc) parameters(t *testing.T, path string, operation map[string]any) {
	t.Helper()
	inPath := map[string]bool{}
	list, _ := operation["parameters"].([]any)
	for _, p := range list {
		target, _ := p.(map[string]any)["$ref"].(string)
		declared := d.at(strings.Split(strings.TrimPrefix(target, "#/"), "/")...)
		if declared["in"] == "path" {
			inPath[declared["name"].(string)] = true
		}
	}
	for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
		if !inPath[m[1]] {
			t.Errorf("%s: parameter %s is not declared", path, m[1])
		}
		delete(inPath, m[1])
	}
	if len(inPath) > 0 {
		t.Errorf("%s: parameters %v are not in it", path, inPath)
	}
}

// TestOpenAPIAnswers has every operation give each answer that the document says
// it may: each is held against its schema (see ask).
func TestOpenAPIAnswers(t *testing.T) {
	l := newAPILab(t)
	one, none := "/api/v1/recordings/"+recAlice, "/api/v1/recordings/"+nowhere
	silent := labSidecar("acme", recCarol, "carol", "support")
	silent.File, silent.Spans = nil, nil
	silent.AddProblem(recording.NotStarted, "")
	l.record(silent)
	big := `{"reason":"` + strings.Repeat("x", maxJSON) + `"}`
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
		{200, "anna", "POST", switchAlice, `{"action":"pause"}`, nil},
		{400, "anna", "POST", switchAlice, `{"action":"stop"}`, nil},
		{403, "lisa", "POST", switchAlice, `{"action":"pause"}`, nil},
		{404, "eve", "POST", switchAlice, `{"action":"pause"}`, nil},
		{413, "anna", "POST", switchAlice, big, nil},
		{415, "anna", "POST", switchAlice, `{"action":"pause"}`, []string{text}},
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
	l.calls.answer(&Refused{"locked"})
	l.wants(409, "anna", "POST", switchAlice, `{"action":"pause"}`)
	l.view(l.bearer("root")).wants("calls aaaa:paused cccc:on dddd:on")
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

// forged asks with a session, and without its token.
func (l *apiLab) forged(one string) {
	l.Helper()
	browser := l.as("anna")
	r, err := http.NewRequestWithContext(l.Context(), "POST", l.url+one+"/verify", nil)
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
		err = l.doc.check(l.server.mux, res, string(body))
	}
	if err != nil || res.StatusCode != 403 {
		l.Errorf("%d: %v", res.StatusCode, err)
	}
}

// nobody asks for everything without a token.
func (l *apiLab) nobody() {
	l.doc.eachOperation(func(method, path string, _ map[string]any) {
		if path != "/api/v1/openapi.json" {
			l.wants(401, "", method, strings.ReplaceAll(path, "{id}", recAlice), "")
		}
	})
}

// away asks for everything while the store is not there.
func (l *apiLab) away(zip string) {
	if err := l.store.Close(); err != nil {
		l.Fatal(err)
	}
	for _, err := l.server.hub.join("root"); err == nil; { // all the streams that root may have
		_, err = l.server.hub.join("root")
	}
	bodies := map[string]string{"POST /api/v1/recordings.zip": zip, "POST /api/v1/calls/{id}/recording": `{"action":"pause"}`,
		"PUT /api/v1/recordings/{id}/hold": `{"reason":"x"}`, "DELETE /api/v1/recordings/{id}": `{"reason":"x"}`}
	l.doc.eachOperation(func(method, path string, _ map[string]any) {
		account := "root"
		if path == "/api/v1/audit" {
			account = "sue" // who reads only of what the index says that she may see
		}
		if path != "/api/v1/openapi.json" {
			l.wants(503, account, method, strings.ReplaceAll(path, "{id}", recAlice), bodies[method+" "+path])
		}
	})
}
