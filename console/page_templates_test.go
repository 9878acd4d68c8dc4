package console

import (
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestTemplatesObeyTheCSP: the pages' Content-Security-Policy lets no script and
// no style run that stands in a page, and nothing come from elsewhere.
func TestTemplatesObeyTheCSP(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		"a style in the page":      regexp.MustCompile(`(?i)<style|\sstyle\s*=`),
		"a script in the page":     regexp.MustCompile(`(?i)<script(\s[^>]*)?>[^<]`),
		"a script without src":     regexp.MustCompile(`(?i)<script>`),
		"a handler in the page":    regexp.MustCompile(`(?i)\son[a-z]+\s*=`),
		"an address that is code":  regexp.MustCompile(`(?i)javascript:|data:`),
		"another host":             regexp.MustCompile(`(?i)(src|href|action)="(https?:)?//`),
		"a base":                   regexp.MustCompile(`(?i)<base`),
		"text that is not escaped": regexp.MustCompile(`safe|template\.HTML`),
	}
	files := 0
	err := fs.WalkDir(templateFiles, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		text, err := templateFiles.ReadFile(name)
		for what, pattern := range forbidden {
			if at := pattern.FindIndex(text); at != nil {
				t.Errorf("%s has %s: %.60q", name, what, text[at[0]:])
			}
		}
		return err
	})
	if err != nil || files < 8 {
		t.Fatalf("%d files, %v", files, err)
	}
	script, err := staticFiles.ReadFile("static/tapedeck.js")
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`eval\(|new Function|document\.write|https?://`).Find(script); m != nil {
		t.Errorf("the script has %q", m)
	}
}

// TestAssets: what a page refers to is there, is kept for ever under its name,
// and needs no account.
func TestAssets(t *testing.T) {
	l := newLab(t)
	res, page := l.get(l.client(), "/sign-in")
	if res.StatusCode != http.StatusOK {
		t.Fatalf("sign-in: %d", res.StatusCode)
	}
	found := regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(found) != 3 {
		t.Fatalf("the page refers to %v", found)
	}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for _, m := range found {
		res, body := l.get(l.client(), m[1])
		if res.StatusCode != http.StatusOK || body == "" || res.Header.Get("Content-Type") != kinds[path.Ext(m[1])] ||
			!strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %d bytes, %v", m[1], res.StatusCode, len(body), res.Header)
		}
		again, body := l.do(l.client(), http.MethodGet, m[1], "", "If-None-Match: "+res.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s again: %d, %d bytes", m[1], again.StatusCode, len(body))
		}
	}
	for _, name := range []string{"tapedeck.css", "..%2fpage.go", "templates/list.html"} {
		if res, _ := l.get(l.client(), "/static/"+name); res.StatusCode == http.StatusOK {
			t.Errorf("/static/%s is given", name)
		}
	}
}
