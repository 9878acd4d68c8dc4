package tapedeck

import (
	"bytes"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tapedeck/flow"
)

// readmeMost is how many bytes README.md may have.
const readmeMost = 8 << 10

// TestDocuments: every link, file, section, command, test, variable and metric that
// a document or a comment names exists.
func TestDocuments(t *testing.T) {
	r := &repository{T: t, anchors: map[string]map[string]bool{}}
	r.read()
	r.program = filepath.Join(t.TempDir(), "tapedeck")
	if out, err := exec.Command("go", "build", "-o", r.program, "./cmd/tapedeck").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("links", r.links)
	t.Run("files", r.files)
	t.Run("sections", r.sections)
	t.Run("make", r.targets)
	t.Run("tapedeck", r.commands)
	t.Run("answers", r.answers)
	t.Run("keys", r.keys)
	t.Run("go test", r.goTests)
	t.Run("names", r.names)
	t.Run("words", r.words)
	t.Run("policies", r.policies)
	if info, err := os.Stat("README.md"); err != nil || info.Size() > readmeMost {
		t.Errorf("README.md: %v, %v; it has at most %d bytes: move something to docs", info.Size(), err, readmeMost)
	}
}

var (
	linkForm  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	wholeLink = regexp.MustCompile(`\[[^\]]*\]\([^)\s]+\)`)
)

// links: each file and heading that a document links to is there, and each document is
// linked to.
func (r *repository) links(t *testing.T) {
	linked := map[string]bool{"README.md": true}
	for _, d := range r.markdown {
		for _, l := range d.lines {
			for _, m := range linkForm.FindAllStringSubmatch(l.text, -1) {
				file, heading, _ := strings.Cut(m[1], "#")
				if l.code || strings.Contains(m[1], "://") {
					continue
				}
				target := d.name
				if file != "" {
					target = path.Join(path.Dir(d.name), file)
				}
				linked[target] = linked[target] || target != d.name
				if !r.exists(target) {
					t.Errorf("%s: there is no %s", l.at, target)
				} else if heading != "" && !r.anchors[target][heading] {
					t.Errorf("%s: %s has no heading #%s", l.at, target, heading)
				}
			}
		}
	}
	for _, d := range r.markdown {
		if !linked[d.name] {
			t.Errorf("no document links to %s", d.name)
		}
	}
}

// pathForm is a file's name, with a folder or without.
var pathForm = regexp.MustCompile(`[\w./-]*\w\.(?:go|md|golden|yaml|xml|html|css|js)\b`)

// files: each file of ours that a document or a comment names is there: beside the
// document, or above it, up to the root. What has a folder that we do not have is somebody
// else's, and so is a name alone in Markdown, unless it is of Go.
func (r *repository) files(t *testing.T) {
	for _, d := range slices.Concat(r.markdown, r.comments, r.xml) {
		for _, l := range d.lines {
			for _, name := range pathForm.FindAllString(wholeLink.ReplaceAllString(l.text, ""), -1) {
				if !r.mine(d, name) || r.beside(d, name) {
					continue
				}
				t.Errorf("%s: there is no %s", l.at, name)
			}
		}
	}
}

// beside reports whether a file is in the folder of a document, or in one above it.
func (r *repository) beside(d document, name string) bool {
	for folder := path.Dir(d.name); ; folder = path.Dir(folder) {
		if r.exists(path.Join(folder, name)) {
			return true
		}
		if folder == "." {
			return false
		}
	}
}

// mine reports whether a file that is named would be one of ours.
func (r *repository) mine(d document, name string) bool {
	if path.IsAbs(name) || strings.HasPrefix(name, "-") || strings.HasPrefix(name, "..") {
		return false
	}
	folder, _, inside := strings.Cut(name, "/")
	if inside {
		return r.exists(folder) || r.exists(path.Join(path.Dir(d.name), folder))
	}
	return path.Ext(name) == ".go" || path.Ext(name) == ".md"
}

var (
	sectionForm = regexp.MustCompile(`(\S*)design\.md\)?,? sections? (\d+)(?: (?:and|to) (\d+))?(?:, rules? (\d+)(?:(?:, \d+)* (?:and|to) (\d+))?)?`)
	bareForm    = regexp.MustCompile(`\S*design\.md`)
	stepForm    = regexp.MustCompile(`(?m)^(\d+)\. `)
	quotedForm  = regexp.MustCompile(`README\.md, "([^"]+)"`)
)

// sections: each section and rule of docs/design.md that a comment names is there.
func (r *repository) sections(t *testing.T) {
	rules := map[string]bool{}
	for _, l := range r.document(t, "docs/design.md").lines {
		if m := stepForm.FindStringSubmatch(l.text); m != nil && !l.code {
			rules[m[1]] = true
		}
	}
	for _, d := range slices.Concat(r.comments, r.xml) {
		for _, l := range d.lines {
			for _, name := range bareForm.FindAllString(l.text, -1) {
				if strings.Trim(name, `("'`) != "docs/design.md" && !strings.Contains(l.at, "docs_test.go") {
					t.Errorf("%s: write docs/design.md for %s", l.at, name)
				}
			}
			for _, m := range sectionForm.FindAllStringSubmatch(l.text, -1) {
				for _, n := range []string{m[2], m[3]} {
					if n != "" && !r.hasSection(n) {
						t.Errorf("%s: docs/design.md has no section %s", l.at, n)
					}
				}
				for _, n := range []string{m[4], m[5]} {
					if n != "" && !rules[n] {
						t.Errorf("%s: docs/design.md has no rule %s", l.at, n)
					}
				}
			}
			for _, m := range quotedForm.FindAllStringSubmatch(l.text, -1) {
				if !r.anchors["freeswitch-conf/README.md"][anchor(m[1])] {
					t.Errorf("%s: freeswitch-conf/README.md has no %q", l.at, m[1])
				}
			}
		}
	}
}

func (r *repository) hasSection(n string) bool {
	for heading := range r.anchors["docs/design.md"] {
		if strings.HasPrefix(heading, n+"-") {
			return true
		}
	}
	return false
}

// targets: each `make X` is in the Makefile.
func (r *repository) targets(t *testing.T) {
	makefile := "\n" + r.text("Makefile")
	r.eachCommand(regexp.MustCompile(`^(?:\$ )?make ([a-z0-9-]+)`), func(l line, m []string) {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("%s: the Makefile has no target %s", l.at, m[1])
		}
	})
}

var (
	commandForm = regexp.MustCompile(`(?:^|\$ |sudo )tapedeck ([a-z-].*)`)
	flagForm    = regexp.MustCompile(`(?:^|[\s\[|])--([a-z][a-z-]*)`)
	helpForm    = regexp.MustCompile(`(?m)^  tapedeck (\w+(?: [a-z]+\b)?)`)
)

// commands: each subcommand of tapedeck that a document shows is one, and has the
// flags that are shown with it.
func (r *repository) commands(t *testing.T) {
	help := run(t, r.program, "help")
	var known []string
	for _, m := range helpForm.FindAllStringSubmatch(help, -1) {
		known = append(known, m[1])
	}
	if len(known) < 10 {
		t.Fatalf("`tapedeck help` lists %q", known)
	}
	flags := map[string]string{}
	r.eachCommand(commandForm, func(l line, m []string) {
		words := strings.Fields(m[1])
		name := words[0]
		if len(words) > 1 && slices.Contains(known, name+" "+words[1]) {
			name += " " + words[1]
		}
		switch {
		case strings.HasPrefix(name, "-"), name == "help":
			return
		case !slices.Contains(known, name) && !slices.ContainsFunc(known, func(k string) bool { return words[0] == m[1] && strings.HasPrefix(k, name+" ") }):
			t.Errorf("%s: `tapedeck help` does not list %q", l.at, name)
			return
		case flags[name] == "":
			flags[name] = run(t, r.program, append(strings.Fields(name), "--help")...)
		}
		for _, f := range flagForm.FindAllStringSubmatch(m[1], -1) {
			if !strings.Contains(flags[name], "-"+f[1]) {
				t.Errorf("%s: `tapedeck %s` has no flag --%s", l.at, name, f[1])
			}
		}
	})
}

// answers: what a document shows as the answer of `tapedeck policy` is the answer.
func (r *repository) answers(t *testing.T) {
	n := 0
	for _, d := range r.markdown {
		for i, l := range d.lines {
			command, ok := strings.CutPrefix(l.text, "$ tapedeck policy ")
			if !ok || !l.code {
				continue
			}
			n++
			shown := ""
			for _, next := range d.lines[i+1:] {
				if !next.code {
					break
				}
				shown += next.text + "\n"
			}
			if got := run(t, r.program, append([]string{"policy"}, strings.Fields(command)...)...); got != shown {
				t.Errorf("%s: the answer is\n%s", l.at, got)
			}
		}
	}
	if n == 0 {
		t.Error("no document asks tapedeck policy")
	}
}

func run(t *testing.T, program string, args ...string) string {
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

var (
	goTestForm = regexp.MustCompile(`go test (.*)`)
	runForm    = regexp.MustCompile(`-(run|bench) ('[^']*'|\S+)`)
	ownForm    = regexp.MustCompile(`\s-([a-z]+\.[a-z.]+|update)\b`)
	funcForm   = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz|Example)\w*)\(`)
)

// goTests: each `go test` names packages that there are, tests that they have, and
// flags that they have.
func (r *repository) goTests(t *testing.T) {
	r.eachCommand(goTestForm, func(l line, m []string) {
		var names []string
		source := ""
		for _, word := range strings.Fields(m[1]) {
			folder, ok := strings.CutPrefix(word, "./")
			if !ok || folder == "..." {
				continue
			}
			tests := 0
			for _, p := range r.paths {
				within, below := strings.CutSuffix(folder, "/...")
				in := path.Dir(p) == path.Clean(folder) || below && strings.HasPrefix(p, within+"/")
				if in && strings.HasSuffix(p, "_test.go") {
					tests++
					text := r.text(p)
					source += text
					for _, f := range funcForm.FindAllStringSubmatch(text, -1) {
						names = append(names, f[1])
					}
				}
			}
			if tests == 0 {
				t.Errorf("%s: there are no tests in %s", l.at, word)
			}
		}
		for _, f := range runForm.FindAllStringSubmatch(m[1], -1) {
			first, below, _ := strings.Cut(strings.Trim(f[2], `'"`), "/")
			for choice := range strings.SplitSeq(first, "|") { // each: a test that is gone must not hide behind another one
				form, err := regexp.Compile(choice)
				if err != nil || choice != "^$" && !slices.ContainsFunc(names, form.MatchString) {
					t.Errorf("%s: nothing matches %s of -%s %s", l.at, choice, f[1], f[2])
				}
			}
			for sub := range strings.SplitSeq(below, "/") {
				if !strings.Contains(source, sub) {
					t.Errorf("%s: no test has a %q", l.at, sub)
				}
			}
		}
		if strings.Contains(source, `"tapedeck/internal/testkit"`) {
			source += r.flags("internal/testkit")
		}
		for _, f := range ownForm.FindAllStringSubmatch(m[1], -1) {
			if !strings.Contains(source, `"`+f[1]+`"`) {
				t.Errorf("%s: these tests have no flag -%s", l.at, f[1])
			}
		}
	})
}

// flags are the sources of a package that has flags for the tests that import it.
func (r *repository) flags(folder string) (source string) {
	for _, p := range r.paths {
		if path.Dir(p) == folder && path.Ext(p) == ".go" {
			source += r.text(p)
		}
	}
	return source
}

// policies: each whole policy that a document shows is valid.
func (r *repository) policies(t *testing.T) {
	n := 0
	for _, d := range r.markdown {
		var block bytes.Buffer
		for i, l := range d.lines {
			if l.code {
				block.WriteString(l.text + "\n")
				if i+1 < len(d.lines) && d.lines[i+1].code {
					continue
				}
			}
			if text := strings.TrimSpace(block.String()); strings.HasPrefix(text, "version: 1\n") {
				n++
				file := filepath.Join(t.TempDir(), "policy.yaml")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := flow.Load(file); err != nil {
					t.Errorf("%s: %v", l.at, err)
				}
			}
			block.Reset()
		}
	}
	if n == 0 {
		t.Error("no document shows a policy")
	}
}
