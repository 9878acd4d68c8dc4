package edit

import (
	"gopkg.in/yaml.v3"

	"tapedeck/internal/strictyaml"
)

// File is a policy file that somebody reads in order to change it.
type File struct{ page *page }

// Open reads a file. If it is no YAML, the error is a *strictyaml.Report, in which it has
// this name.
func Open(name string, text []byte) (*File, error) {
	p, err := open(name, text)
	if err != nil {
		return nil, err
	}
	return &File{p}, nil
}

// Value is what the file has at a path; nil if it has nothing there. An alias is what it
// stands for. It belongs to the file: nobody changes it.
func (f *File) Value(path ...string) *yaml.Node {
	n := f.page.top
	for _, name := range path {
		if n = strictyaml.Target(n); n.Kind != yaml.MappingNode {
			return nil
		}
		if _, n = f.page.key(n, name); n == nil {
			return nil
		}
	}
	return strictyaml.Target(n)
}

// Keys are the keys of the mapping at a path, in order.
func (f *File) Keys(path ...string) (keys []string) {
	n := f.Value(path...)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i].Value)
	}
	return keys
}
