package flow

import (
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Limits of what is read, far above any policy: a file with a hundred thousand
// users has some 10 MB.
const (
	maxFile   = 16 << 20
	maxSource = 64 << 20 // all files together
)

// Source is one file's text and the name that mistakes in it are reported under.
type Source struct {
	Name   string
	Text   []byte
	Secret bool // mistakes do not quote it
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
			report.Add(Mistake{name, 1, "this file is not read: name it " + strings.TrimSuffix(e.Name(), ext) + ".yaml, or move it out of the folder"})
		case ext == ".yaml":
			s, err := readSource(name, report)
			if err != nil {
				return nil, nil, err
			}
			files = append(files, s)
		}
	}
	if len(files) == 0 {
		report.Add(Mistake{path, 1, "the folder holds no policy: put at least one *.yaml file into it"})
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
	return Source{Name: name, Text: text}, nil
}
