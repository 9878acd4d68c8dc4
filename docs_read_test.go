package tapedeck

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// document is a text of the repository that may name other things in it: a
// Markdown file, the comments of a Go file, or a file of XML.
type document struct {
	name  string // from the root, with slashes
	lines []line
}

// line is one line of a document, with where it stands.
type line struct {
	at   string // file:line
	text string
	code bool // in a fenced block of Markdown
}

// repository is what there is.
type repository struct {
	*testing.T
	markdown, comments, xml []document
	paths                   []string                   // of all files, from the root
	source                  string                     // of all Go and XML files
	anchors                 map[string]map[string]bool // by Markdown file
	program                 string                     // tapedeck, built
}

// ours reports whether a file belongs to the repository: what git ignores, and what
// tools leave behind, does not.
func ours(name string, dir bool) bool {
	base := path.Base(name)
	return !(dir && (base == ".git" || base == "bin" || base == "fuzz")) && !strings.HasSuffix(base, ".test")
}

func (r *repository) read() {
	var source strings.Builder
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name = filepath.ToSlash(name); !ours(name, d.IsDir()) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		r.paths = append(r.paths, name)
		switch ext := path.Ext(name); {
		case d.IsDir():
		case ext == ".md":
			r.markdown = append(r.markdown, readMarkdown(r.T, name))
		case ext == ".go":
			text := r.text(name)
			source.WriteString(text)
			r.comments = append(r.comments, readComments(r.T, name, text))
		case ext == ".xml":
			text := r.text(name)
			source.WriteString(text)
			r.xml = append(r.xml, document{name, split(name, text)})
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	r.source = source.String()
	for _, d := range r.markdown {
		r.anchors[d.name] = anchorsOf(d)
	}
}

func (r *repository) text(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		r.Fatal(err)
	}
	return string(b)
}

func (r *repository) exists(name string) bool { return slices.Contains(r.paths, path.Clean(name)) }

func split(name, text string) (all []line) {
	n := 0
	for l := range strings.Lines(text) {
		n++
		all = append(all, line{at: fmt.Sprintf("%s:%d", name, n), text: strings.TrimRight(l, "\n")})
	}
	return all
}

func readMarkdown(t *testing.T, name string) document {
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	d := document{name, split(name, string(b))}
	code := false
	for i := range d.lines {
		if strings.HasPrefix(strings.TrimSpace(d.lines[i].text), "```") {
			code = !code
			d.lines[i].text = ""
		}
		d.lines[i].code = code
	}
	return d
}

// readComments has each comment of a Go file as one line: what it names may be cut
// by the end of a line.
func readComments(t *testing.T, name, text string) document {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	d := document{name: name}
	for _, c := range f.Comments {
		at := files.Position(c.Pos())
		words := strings.Join(strings.Fields(c.Text()), " ")
		d.lines = append(d.lines, line{at: fmt.Sprintf("%s:%d", name, at.Line), text: words})
	}
	return d
}

// anchorsOf are the names of a document's headings, as GitHub makes them.
func anchorsOf(d document) map[string]bool {
	all := map[string]bool{}
	for _, l := range d.lines {
		heading := strings.TrimLeft(l.text, "#")
		if l.code || heading == l.text || !strings.HasPrefix(heading, " ") {
			continue
		}
		all[anchor(heading)] = true
	}
	return all
}

func anchor(heading string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsLetter(c), unicode.IsDigit(c), c == '-', c == '_':
			return unicode.ToLower(c)
		case c == ' ':
			return '-'
		}
		return -1
	}, strings.TrimSpace(heading))
}

func (r *repository) document(t *testing.T, name string) document {
	for _, d := range r.markdown {
		if d.name == name {
			return d
		}
	}
	t.Fatalf("there is no %s", name)
	return document{}
}

// shown is what a line of Markdown shows as code: all of it, or what is between
// backticks.
func (l line) shown() []string {
	if l.code {
		return []string{l.text}
	}
	var all []string
	for i, part := range strings.Split(l.text, "`") {
		if i%2 == 1 {
			all = append(all, part)
		}
	}
	return all
}

// eachCommand finds what is shown and matches.
func (r *repository) eachCommand(form *regexp.Regexp, do func(l line, m []string)) {
	for _, d := range r.markdown {
		for _, l := range d.lines {
			for _, shown := range l.shown() {
				for _, m := range form.FindAllStringSubmatch(shown, -1) {
					do(l, m)
				}
			}
		}
	}
}
