package flow

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tapedeck/internal/strictyaml"
)

// maxSource is how large a policy's files may be together.
const maxSource = 64 << 20

// Text is what the policy's files say, as it was read.
type Text struct {
	Path     string // the file or folder
	Files    []strictyaml.Source
	mistakes *strictyaml.Report // those that are no matter of one file's text
}

// ReadText reads a policy file, or every *.yaml of a folder in the order of their names.
func ReadText(path string) (Text, error) {
	files, mistakes, err := readSources(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: name a file or a folder", err)
	}
	return Text{path, files, mistakes}, err
}

// Policy is the policy that the text says. If it has mistakes, the error is a
// *strictyaml.Report with all of them (docs/design.md, section 5).
func (t Text) Policy() (*Policy, error) { return parse(t.Files, t.mistakes) }

// Same reports whether two texts are the same files with the same bytes.
func (t Text) Same(other Text) bool {
	return slices.EqualFunc(t.Files, other.Files, func(a, b strictyaml.Source) bool { return a.Name == b.Name && bytes.Equal(a.Text, b.Text) })
}

// readSources reads a file, or every *.yaml of a folder in the order of their names.
// Hidden files are left out: editors keep their copies in them. The report has the
// mistakes that are no matter of one file's text.
func readSources(path string) ([]strictyaml.Source, *strictyaml.Report, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	report := &strictyaml.Report{}
	if !info.IsDir() {
		s, err := strictyaml.ReadFile(path)
		return []strictyaml.Source{s}, report, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, nil, err
	}
	var files []strictyaml.Source
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		switch ext := filepath.Ext(name); {
		case strings.HasPrefix(e.Name(), ".") || e.IsDir():
		case ext == ".yml":
			report.Add(strictyaml.Mistake{File: name, Line: 1, Text: "this file is not read: name it " + strings.TrimSuffix(e.Name(), ext) + ".yaml, or move it out of the folder"})
		case ext == ".yaml":
			s, err := strictyaml.ReadFile(name)
			if err != nil {
				return nil, nil, err
			}
			files = append(files, s)
		}
	}
	if len(files) == 0 {
		report.Add(strictyaml.Mistake{File: path, Line: 1, Text: "the folder holds no policy: put at least one *.yaml file into it"})
	}
	return files, report, nil
}
