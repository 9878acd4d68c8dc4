package flow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Limits of what is read, far above any policy: a file with a hundred thousand
// users has some 10 MB.
const (
	maxFile   = 16 << 20
	maxSource = 64 << 20 // all files together
)

// Source is one policy file's text and the name that mistakes in it are
// reported under.
type Source struct {
	Name string
	Text []byte
}

// readSources reads a file, or every *.yaml of a folder in the order of their
// names. Hidden files are left out, as editors keep their copies in such.
func readSources(path string) ([]Source, *Report, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	report := &Report{}
	if !info.IsDir() {
		s, err := readSource(path, report)
		return []Source{s}, report, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, nil, err
	}
	var files []Source
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		switch ext := filepath.Ext(name); {
		case strings.HasPrefix(e.Name(), ".") || e.IsDir():
		case ext == ".yml":
			report.add(Mistake{name, 1, "this file is not read: name it " + strings.TrimSuffix(e.Name(), ext) + ".yaml, or move it out of the folder"})
		case ext == ".yaml":
			s, err := readSource(name, report)
			if err != nil {
				return nil, nil, err
			}
			files = append(files, s)
		}
	}
	if len(files) == 0 {
		report.add(Mistake{path, 1, "the folder holds no policy: put at least one *.yaml file into it"})
	}
	return files, report, nil
}

// readSource reads one file, of which no more than the limit is kept.
func readSource(name string, report *Report) (Source, error) {
	f, err := os.Open(name)
	if err != nil {
		return Source{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Source{}, err
	}
	return Source{name, text}, nil
}

// document is the one YAML document of a source; nil when there is a mistake.
func document(s Source, report *Report) *yaml.Node {
	if len(s.Text) > maxFile {
		report.add(Mistake{s.Name, 1, fmt.Sprintf("the file is larger than %d MB: cut it into several files in one folder", maxFile>>20)})
		return nil
	}
	if line, what := badText(s.Text); what != "" {
		report.add(Mistake{s.Name, line, what})
		return nil
	}
	nodes, err := decode(s.Text)
	switch {
	case err != nil:
		line, text := syntaxMistake(s.Text, err)
		report.add(Mistake{s.Name, line, text})
	case len(nodes) == 0 || isNull(nodes[0].Content[0]):
		report.add(Mistake{s.Name, 1, "the file is empty: begin with version: 1"})
	case len(nodes) > 1:
		report.add(Mistake{s.Name, nodes[1].Line, "a second document begins here: remove the --- line, or put it into a file of its own"})
	default:
		return nodes[0].Content[0]
	}
	return nil
}

// decode reads at most two YAML documents. yaml.v3 is known for panics on
// malformed text and is no longer maintained, hence the recover.
func decode(text []byte) (nodes []*yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the YAML reader gave up: %v", p)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(text))
	for len(nodes) < 2 {
		n := &yaml.Node{}
		err := d.Decode(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// badText finds what YAML forbids anywhere and yaml.v3 reports without a line.
func badText(text []byte) (line int, what string) {
	line = 1
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return line, "the text is not UTF-8: save the file as UTF-8"
		case r == '\n':
			line++
		case r < ' ' && r != '\t' && r != '\r', 0x7f <= r && r < 0xa0 && r != 0x85:
			return line, fmt.Sprintf("the control character %U is in the text: remove it", r)
		}
		i += size
	}
	return 0, ""
}

var (
	yamlLine      = regexp.MustCompile(`^yaml: line (\d+): `)
	comment       = regexp.MustCompile(`(^|\s)#.*`)
	unknownAnchor = regexp.MustCompile(`unknown anchor '([^']*)' referenced`)
)

// syntaxMistake turns yaml.v3's error into a mistake. The commonest ones are
// toggle codes without quotes, since * begins an alias.
func syntaxMistake(text []byte, err error) (line int, what string) {
	message := err.Error()
	line = 1
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	message = strings.TrimPrefix(message, "yaml: ")
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		return aliasLine(text, m[1]), fmt.Sprintf("without quotes *%s refers to an anchor, and there is none of that name: write \"*%s\"", m[1], m[1])
	}
	if strings.Contains(message, "alphabetic or numeric character") {
		return line, "not valid YAML: * and & have a meaning of their own: put quotes around a code such as \"*1\""
	}
	return min(max(line, 1), 1+bytes.Count(text, []byte("\n"))), "not valid YAML: " + message + ": mend the indentation, quotes or brackets here"
}

// aliasLine is the first line on which *name stands where a value can begin.
func aliasLine(text []byte, name string) int {
	use := regexp.MustCompile(`(^|[\s\[{,])\*` + regexp.QuoteMeta(name) + `($|[\s\]},])`)
	for i, l := range bytes.Split(text, []byte("\n")) {
		if use.Match(comment.ReplaceAll(l, nil)) {
			return i + 1
		}
	}
	return 1
}
