package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// document is a file's one YAML document; nil when there is none: then the report
// says why, except for an empty file. secret: mistakes do not quote the text.
func document(s Source, secret bool, report *Report) *yaml.Node {
	if len(s.Text) > maxFile {
		report.Add(Mistake{s.Name, 1, fmt.Sprintf("the file is larger than %d MB: cut it into several files in one folder", maxFile>>20)})
		return nil
	}
	if line, what := badText(s.Text); what != "" {
		report.Add(Mistake{s.Name, line, what})
		return nil
	}
	nodes, err := decode(s.Text)
	switch {
	case err != nil:
		line, text := syntaxMistake(s.Text, err)
		if secret {
			text = "not valid YAML: mend the indentation, quotes or brackets here"
		}
		report.Add(Mistake{s.Name, line, text})
	case len(nodes) == 0 || IsNull(nodes[0].Content[0]):
	case len(nodes) > 1:
		report.Add(Mistake{s.Name, nodes[1].Line, "a second document begins here: remove the --- line"})
	default:
		return nodes[0]
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

// badText finds what YAML forbids everywhere, and yaml.v3 reports without a line.
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

// syntaxMistake turns yaml.v3's error into a mistake. The commonest is a toggle code
// without quotes, because * begins an alias.
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
