package api_test

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tapedeck/console/api"
	"tapedeck/recording"
)

// TestOpenAPIRoutes: the document has exactly the operations of the API, its schemas are
// valid, and its references exist.
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
	for _, m := range regexp.MustCompile(`(?:a\.Handle|mux\.HandleFunc)\("([A-Z]+ /api/v1/[^"]+)"`).FindAllStringSubmatch(string(source), -1) {
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
		parameters(t, d, path, operation)
	})
	if len(routes) > 0 {
		t.Errorf("not in the document: %v", slices.Sorted(maps.Keys(routes)))
	}
	for name := range d.at("components", "schemas") {
		if _, err := d.jsc.Compile(docURL + "#/components/schemas/" + name); err != nil {
			t.Error(err)
		}
	}
	for _, m := range regexp.MustCompile(`"\$ref": "#/([^"]+)"`).FindAllSubmatch(api.OpenAPI, -1) {
		if d.at(strings.Split(string(m[1]), "/")...) == nil {
			t.Errorf("%s leads nowhere", m[0])
		}
	}
}

// parameters checks that the document declares exactly the parameters of a path.
func parameters(t *testing.T, d *apiDoc, path string, operation map[string]any) {
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

// TestOpenAPISidecar: the document describes every field that a sidecar has. Its
// schemas allow no others, so a field that is missing there makes the API contradict
// its own description.
func TestOpenAPISidecar(t *testing.T) {
	doc := readAPIDoc(t)
	for name, of := range map[string]reflect.Type{"Sidecar": reflect.TypeFor[recording.Sidecar](), "Cause": reflect.TypeFor[recording.Cause](), "Hold": reflect.TypeFor[recording.Hold]()} {
		described := doc.at("components", "schemas", name, "properties")
		for i := range of.NumField() {
			key, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if key != "" && key != "-" && described[key] == nil {
				t.Errorf("%s: openapi.json does not describe %q", name, key)
			}
		}
	}
}
