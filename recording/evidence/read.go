package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"tapedeck/internal/durable"
)

// Files returns the paths of all logs in a folder, in order.
func Files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), fileExt) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// Reader reads logs, and the audit log that they tell of, while others write to them.
type Reader struct {
	logs  []*growing
	audit *growing
}

// growing is a file of which more may come.
type growing struct {
	path string
	file *os.File // nil: it is not there
	read int64    // bytes that were handed on
}

// NewReader opens the logs. The audit log is opened when it is there. Close closes them.
func NewReader(logs []string, audit string) (*Reader, error) {
	r := &Reader{audit: &growing{path: audit}}
	for _, path := range logs {
		r.logs = append(r.logs, &growing{path: path})
	}
	for _, g := range r.logs {
		if err := g.open(); err != nil {
			r.Close()
			return nil, fmt.Errorf("evidence: %w", err)
		}
	}
	return r, nil
}

func (g *growing) open() (err error) {
	g.file, err = durable.OpenRegular(g.path)
	return err
}

// Close closes the files.
func (r *Reader) Close() {
	for _, g := range append(slices.Clone(r.logs), r.audit) {
		if g.file != nil {
			g.file.Close()
		}
	}
}

// More hands on what the files have got since the last time: whole lines, as they stood
// at one moment at which nobody wrote.
func (r *Reader) More(log, audit func(where string, r io.Reader) error) error {
	ends := make([]int64, len(r.logs)+1)
	if err := r.Locked(func() (err error) {
		for i, g := range append(slices.Clone(r.logs), r.audit) {
			if ends[i], err = g.wholeLines(); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return r.handOn(ends, log, audit)
}

// Rest hands on all that is left, also a last line that has no end. Call it within
// Locked.
func (r *Reader) Rest(log, audit func(where string, r io.Reader) error) error {
	ends := make([]int64, len(r.logs)+1)
	for i, g := range append(slices.Clone(r.logs), r.audit) {
		var err error
		if ends[i], err = g.size(); err != nil {
			return err
		}
	}
	return r.handOn(ends, log, audit)
}

func (r *Reader) handOn(ends []int64, log, audit func(where string, r io.Reader) error) error {
	for i, g := range r.logs {
		if err := g.handOn(ends[i], log); err != nil {
			return err
		}
	}
	return r.audit.handOn(ends[len(r.logs)], audit)
}

// Locked calls do while nobody writes to the logs.
func (r *Reader) Locked(do func() error) error {
	for _, g := range r.logs {
		if err := durable.Lock(g.file); err != nil {
			return fmt.Errorf("evidence: %w", err)
		}
		defer syscall.Flock(int(g.file.Fd()), syscall.LOCK_UN)
	}
	return do()
}

func (g *growing) size() (int64, error) {
	if g.file == nil {
		if err := g.open(); errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		} else if err != nil {
			return 0, fmt.Errorf("evidence: %w", err)
		}
	}
	info, err := g.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("evidence: %w", err)
	}
	return info.Size(), nil
}

// wholeLines returns where the last line ends that has an end.
func (g *growing) wholeLines() (int64, error) {
	size, err := g.size()
	block := make([]byte, 4096)
	for end := size; err == nil && end > g.read; {
		from := max(g.read, end-int64(len(block)))
		block = block[:end-from]
		if _, err = g.file.ReadAt(block, from); err != nil {
			break
		}
		if at := bytes.LastIndexByte(block, '\n'); at >= 0 {
			return from + int64(at) + 1, nil
		}
		end = from
	}
	if err != nil {
		return 0, fmt.Errorf("evidence: %w", err)
	}
	return g.read, nil
}

func (g *growing) handOn(end int64, do func(where string, r io.Reader) error) error {
	if g.file == nil {
		return do(g.path, strings.NewReader(""))
	}
	err := do(g.path, io.NewSectionReader(g.file, g.read, end-g.read))
	g.read = end
	return err
}

// Read calls do with a file.
func Read(path string, do func(where string, r io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	defer f.Close()
	return do(path, f)
}
