package web

import (
	"io/fs"
	"regexp"
	"testing"
)

// TestTemplatesObeyTheCSP: the Content-Security-Policy forbids scripts and styles inside
// a page, and anything from another host. The templates have none.
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
