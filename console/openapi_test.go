package console

import (
	"errors"
	"fmt"
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
