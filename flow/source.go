package flow

import (
	"os"
	"path/filepath"
	"strings"

	"tapedeck/internal/strictyaml"
)

// maxSource is how large a policy's files may be together.
const maxSource = 64 << 20

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
