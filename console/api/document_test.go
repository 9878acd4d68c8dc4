package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tapedeck/console/api"
)

// apiDoc is the OpenAPI document, and which of its answers the test has seen.
type apiDoc struct {
	doc  map[string]any
	jsc  *jsonschema.Compiler
	seen map[string]bool
}

const docURL = "http://tapedeck.example/openapi.json"

func readAPIDoc(t testing.TB) *apiDoc {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(api.OpenAPI))
	if err != nil {
		t.Fatal(err)
	}
	jsc := jsonschema.NewCompiler()
	jsc.DefaultDraft(jsonschema.Draft2020) // OpenAPI 3.1 has its schemas
	jsc.AssertFormat()
	if err := jsc.AddResource(docURL, value); err != nil {
		t.Fatal(err)
	}
	return &apiDoc{value.(map[string]any), jsc, map[string]bool{}}
}

// at returns the value of the document at a path of names, and follows its $ref.
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

// routes has the patterns of the API, and nothing behind them.
var routes = func() *http.ServeMux {
	mux := http.NewServeMux()
	api.New(api.Config{}, mux)
	return mux
}()

// check compares an answer with the document.
func (d *apiDoc) check(res *http.Response, text string) error {
	_, pattern := routes.Handler(res.Request)
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

// validate checks a body against a schema of the document.
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

// eachOperation calls do for each operation of the document.
func (d *apiDoc) eachOperation(do func(method, path string, operation map[string]any)) {
	paths := d.at("paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		operations := d.at("paths", path)
		for _, method := range slices.Sorted(maps.Keys(operations)) {
			do(strings.ToUpper(method), path, mapAt(operations, method))
		}
	}
}
