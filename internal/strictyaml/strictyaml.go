// Package strictyaml reads the YAML files that people write: the policy, the
// accounts file and the daemon file. It refuses what YAML allows and nobody means
// (a key twice, an unknown key, no for "no"), and reports every mistake of a file
// at once, each with its line and what to write instead.
package strictyaml

import (
	"io"
	"os"
)

// maxFile is how large a file may be, far above any that is meant: a policy with
// a hundred thousand users has some 10 MB.
const maxFile = 16 << 20

// Source is one file's text and the name that mistakes in it are reported under.
type Source struct {
	Name string
	Text []byte
}

// ReadFile reads a file. Of one that is larger than what a Reader takes it keeps
// one byte more than that.
func ReadFile(name string) (Source, error) {
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
