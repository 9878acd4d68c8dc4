package tapedeck

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	nameForm = regexp.MustCompile(`\b(?:tapedeck[_:][a-z_:]*[a-z]|TAPEDECK_[A-Z0-9_]+)\b`)
	// readForm is where a channel variable of ours is read.
	readForm = regexp.MustCompile(`\.Variable\("(tapedeck_\w+)"`)
	// logForm is where a document quotes the log.
	logForm = regexp.MustCompile("log has `([^`]+)`")
	apiForm = regexp.MustCompile(`/api/v1/[a-z{}./]*[a-z}]`)
)

// names: each variable, metric, event and environment variable that a document
// names is in the source, and each path of the API in its description.
func (r *repository) names(t *testing.T) {
	var api string
	for _, p := range r.paths {
		if path.Base(p) == "openapi.json" {
			api = r.text(p)
		}
	}
	design := r.text("docs/design.md")
	for _, m := range readForm.FindAllStringSubmatch(r.source, -1) {
		if !strings.Contains(design, "\n| `"+m[1]+"` | ") {
			t.Errorf("docs/design.md, section 3, does not list the channel variable %s", m[1])
		}
	}
	for _, d := range r.markdown {
		for _, l := range d.lines {
			for _, name := range nameForm.FindAllString(l.text, -1) {
				if !strings.Contains(r.source, name) {
					t.Errorf("%s: the source does not have %s", l.at, name)
				}
			}
			for _, m := range logForm.FindAllStringSubmatch(l.text, -1) {
				if !strings.Contains(r.source, `"`+m[1]+`"`) {
					t.Errorf("%s: the log never has %q", l.at, m[1])
				}
			}
			for _, name := range apiForm.FindAllString(l.text, -1) {
				if !strings.Contains(api, `"`+name+`"`) {
					t.Errorf("%s: the API has no %s", l.at, name)
				}
			}
		}
	}
}

// wordLists are lists of words that users see: a constant of each list, and the
// document that has them all.
var wordLists = []struct{ folder, constant, document string }{
	{"recording", "NotStarted", "docs/operate.md"},        // problems
	{"recording", "Changed", "docs/operate.md"},           // what recordings verify finds
	{"recording", "NoteEntered", "docs/design.md"},        // what a trace says
	{"recording", "TriggerAutomatic", "docs/design.md"},   // triggers
	{"recording/audit", "SignInFailed", "docs/design.md"}, // what the audit log says
	{"esl", "ReasonNotAllowed", "docs/operate.md"},        // why a connection was closed
	{"toggle", "NotItsUser", "docs/console.md"},           // why a press is refused
	{"toggle", "BlindTransfer", "docs/design.md"},         // methods
	{"console/access", "Operator", "docs/console.md"},     // roles
	{"console/access", "Download", "docs/console.md"},     // rights
}

// words: every word of a list is in its document.
func (r *repository) words(t *testing.T) {
	for _, list := range wordLists {
		words := r.wordsOf(list.folder, list.constant)
		if len(words) < 2 {
			t.Errorf("%s has no list with %s", list.folder, list.constant)
		}
		text := r.text(list.document)
		for _, word := range words {
			if !strings.Contains(text, "`"+word+"`") {
				t.Errorf("%s does not say what `%s` is", list.document, word)
			}
		}
	}
}

// wordsOf are the texts of the constants that are declared together with one.
func (r *repository) wordsOf(folder, constant string) []string {
	for _, name := range r.paths {
		if path.Dir(name) != folder || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			r.Fatal(err)
		}
		for _, d := range f.Decls {
			if group, ok := d.(*ast.GenDecl); ok && group.Tok == token.CONST {
				if words, ok := texts(group, constant); ok {
					return words
				}
			}
		}
	}
	return nil
}

// texts are those of a group of constants, if one of them has the name.
func texts(group *ast.GenDecl, constant string) (all []string, has bool) {
	for _, spec := range group.Specs {
		v := spec.(*ast.ValueSpec)
		for i, name := range v.Names {
			has = has || name.Name == constant
			if i >= len(v.Values) {
				continue
			}
			if text, ok := v.Values[i].(*ast.BasicLit); ok && text.Kind == token.STRING {
				if word, err := strconv.Unquote(text.Value); err == nil && word != "" {
					all = append(all, word)
				}
			}
		}
	}
	return all, has
}
