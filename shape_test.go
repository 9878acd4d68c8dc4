package tapedeck

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The limits of a type in call, store and console and in what is below them: one that
// has more does more than one job. The other limits are of every package, tests left
// out.
const (
	mostMethods   = 40
	mostFields    = 15
	mostLines     = 450 // of a file, which has one subject
	mostFuncLines = 65  // of a function, which fits on a screen
)

// larger are the types that exceed a limit all the same, with why. An entry goes
// when its type is within the limits.
var larger = map[string]shape{
	"call/handover.Snapshot":    {methods: 8, fields: 36, why: "what is written down of a call: the names in Redis and in the channel variable are a contract"},
	"call.entry":                {methods: 2, fields: 20, why: "what the channel data of one leg says"},
	"store/calls.Call":          {fields: 22, why: "what Redis holds of a live call: the names are a contract"},
	"store/index.Recording":     {methods: 1, fields: 21, why: "what Redis holds of a recording: the names are a contract"},
	"console/web.recordingPage": {methods: 1, fields: 37, why: "what the page of one recording shows"},
	"console/ops.RecordingView": {fields: 20, why: "what the API says of a recording: the names are a contract"},
	"console/web.liveRow":       {fields: 16, why: "what a row of live calls shows"},
}

// shape is how large a type is.
type shape struct {
	methods, fields int
	why             string
}

func (s shape) within(other shape) bool {
	return s.methods <= other.methods && s.fields <= other.fields
}

// room is what a package has, tests left out.
type room struct {
	files, lines int
	types        map[string]shape
	longestFile  string
	fileLines    int // of longestFile
	longestFunc  string
	funcLines    int // of longestFunc
}

// TestShape: no type, file or function exceeds the limits, except for the types that
// are named. Of those, only a field that a contract asks for raises the number, in the
// commit that adds it. With -v it prints the table of all packages.
func TestShape(t *testing.T) {
	rooms := measure(t)
	for _, name := range slices.Sorted(maps.Keys(rooms)) {
		r := rooms[name]
		if r.fileLines > mostLines {
			t.Errorf("%s/%s has %d lines: at most %d", name, r.longestFile, r.fileLines, mostLines)
		}
		if r.funcLines > mostFuncLines {
			t.Errorf("%s: %s has %d lines: at most %d", name, r.longestFunc, r.funcLines, mostFuncLines)
		}
		if top, _, _ := strings.Cut(name, "/"); top != "call" && top != "store" && top != "console" {
			continue
		}
		for typ, is := range r.types {
			full := name + "." + typ
			allowed, named := larger[full]
			switch limit := (shape{methods: mostMethods, fields: mostFields}); {
			case is.within(limit):
			case !named:
				t.Errorf("%s has %d methods and %d fields: at most %d and %d", full, is.methods, is.fields, mostMethods, mostFields)
			case !is.within(allowed):
				t.Errorf("%s has %d methods and %d fields, and had %d and %d: give what is new a type of its own, or, if it is a field of a contract, raise the number in shape_test.go", full, is.methods, is.fields, allowed.methods, allowed.fields)
			}
		}
	}
	for full := range larger {
		dot := strings.LastIndexByte(full, '.')
		is, exists := shape{}, false
		if r := rooms[full[:dot]]; r != nil {
			is, exists = r.types[full[dot+1:]]
		}
		if !exists || is.within(shape{methods: mostMethods, fields: mostFields}) {
			t.Errorf("%s is gone, or within the limits: take it out here", full)
		}
	}
	t.Logf("\n%s", table(rooms))
}

// measure reads every package below the root.
func measure(t *testing.T) map[string]*room {
	t.Helper()
	rooms := map[string]*room{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		name := filepath.ToSlash(filepath.Dir(path))
		r := rooms[name]
		if r == nil {
			r = &room{types: map[string]shape{}}
			rooms[name] = r
		}
		return r.add(path)
	})
	if err != nil {
		t.Fatal(err)
	}
	return rooms
}

// add reads one file of a package.
func (r *room) add(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	lines := bytes.Count(text, []byte("\n"))
	r.files, r.lines = r.files+1, r.lines+lines
	if lines > r.fileLines {
		r.longestFile, r.fileLines = filepath.Base(path), lines
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if n := set.Position(d.End()).Line - set.Position(d.Pos()).Line + 1; n > r.funcLines {
				r.longestFunc, r.funcLines = d.Name.Name, n
			}
			if d.Recv != nil {
				name := receiver(d.Recv.List[0].Type)
				s := r.types[name]
				s.methods++
				r.types[name] = s
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if typ, ok := spec.(*ast.TypeSpec); ok {
					s := r.types[typ.Name.Name]
					s.fields = fields(typ.Type)
					r.types[typ.Name.Name] = s
				}
			}
		}
	}
	return nil
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// fields is how many a struct type has; an embedded one counts as one.
func fields(e ast.Expr) (n int) {
	s, ok := e.(*ast.StructType)
	if !ok {
		return 0
	}
	for _, f := range s.Fields.List {
		n += max(1, len(f.Names))
	}
	return n
}

// table is a line for each package.
func table(rooms map[string]*room) string {
	var b strings.Builder
	b.WriteString("| package | files | lines | most methods | most fields | longest file | longest function |\n|---|---|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(rooms)) {
		r := rooms[name]
		types := slices.Sorted(maps.Keys(r.types))
		methods, most := largest(types, func(typ string) int { return r.types[typ].methods })
		fields, more := largest(types, func(typ string) int { return r.types[typ].fields })
		fmt.Fprintf(&b, "| %s | %d | %d | %s %d | %s %d | %s %d | %s %d |\n", name, r.files, r.lines,
			methods, most, fields, more, r.longestFile, r.fileLines, r.longestFunc, r.funcLines)
	}
	return b.String()
}

// largest is the name with the largest size, and that size.
func largest(names []string, size func(string) int) (string, int) {
	if len(names) == 0 {
		return "-", 0
	}
	name := slices.MaxFunc(names, func(a, b string) int { return cmp.Compare(size(a), size(b)) })
	return name, size(name)
}
