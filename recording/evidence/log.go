// Package evidence is the evidence log on the disk: one file for each host, to which
// entries are added and in which nothing is changed (package chain has their form). An
// entry is on the disk before what it tells of is done. A process that is killed in
// between leaves its last entry open; the next process that writes looks what became
// of it, and writes that down.
package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/recording/chain"
)

const (
	fileExt = ".jsonl"
	dirMode = 0o750
)

// Books are what the log tells of, as they lie on the disk. Its methods are called
// while the log is locked.
type Books interface {
	// Begin says what there is when a log begins: size and SHA-256 of the audit log, and
	// whether there are recordings.
	Begin() (size int64, sum string, recordings bool, err error)
	// Settle looks what has become of the last entry that tells of something to be done,
	// which may not be done if its process was killed. It returns what is to be written
	// about that, and what is to be done then; nil is nothing.
	Settle(open chain.Entry) (entries []chain.Entry, do func() error, err error)
}

// Log is the evidence log of one host. Several processes may add to it at once. A nil
// Log is none: what should be recorded is done without an entry.
type Log struct {
	path  string
	books Books
	now   func() time.Time

	mu   sync.Mutex
	head head // of the file as this process left it
}

// head is the end of a log.
type head struct {
	id   string
	last chain.Entry
	size int64
	file os.FileInfo // nil: this process has not written yet
	open bool        // what the last entry tells of is not done, and no entry says so
}

// stands reports whether the last entry is where this process left it.
func (h head) stands(f *os.File) bool {
	hash := make([]byte, len(h.last.Hash)) // it covers all that is before it
	_, err := f.ReadAt(hash, h.size-int64(len(hash)+chain.AfterHash))
	return err == nil && string(hash) == h.last.Hash
}

// Open returns the log of a host in a folder. It makes the folder if it is missing, with
// the owner of the folder like, and begins the log, or goes on with it. While another
// process has the log locked, the first entry does that: Open waits for nobody, because
// calls wait for a daemon that starts. With an error there is no log if the folder cannot
// be made, and else one that tries again with each entry.
func Open(dir, host, like string, books Books) (*Log, error) {
	if err := makeDir(dir, like); err != nil {
		return nil, fmt.Errorf("evidence: %w: make the folder, and let Tapedeck's user write into it", err)
	}
	l := &Log{path: filepath.Join(dir, fileName(host)), books: books, now: time.Now}
	err := l.lockedBy(durable.TryLock, func(*os.File, *head) error { return nil })
	if errors.Is(err, durable.ErrLocked) {
		err = nil
	}
	return l, err
}

// fileName is the name of a host's log, made of what a name may have.
func fileName(host string) string {
	safe := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}
	return strings.Map(safe, host) + fileExt
}

// makeDir makes a folder, and those above it, if it is missing. Whether this process may
// use it is seen when the log is opened.
func makeDir(dir, like string) error {
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	owner, err := os.Stat(like)
	if err != nil {
		owner = nil
	}
	return durable.MakeFolder(dir, owner, dirMode)
}

// Path returns the path of the file; "" if there is none.
func (l *Log) Path() string {
	if l == nil {
		return ""
	}
	return l.path
}

// Record adds an entry, and then does what it tells of, while the log is locked. The
// entry is made by a function, which is told the log's id and the entry's number. If
// what it tells of fails, an entry says so. Do may be nil. It must not call Record.
func (l *Log) Record(entry func(id string, seq int64) (chain.Entry, error), do func() error) error {
	if do == nil {
		do = func() error { return nil }
	}
	if l == nil {
		return do()
	}
	return l.locked(func(f *os.File, h *head) error {
		e, err := entry(h.id, h.last.Seq+1)
		if err != nil {
			return err
		}
		if err := l.write(f, h, e); err != nil {
			return err
		}
		seq := h.last.Seq
		if err = do(); err == nil {
			return nil
		}
		undone := chain.Entry{Kind: chain.Undone, Of: seq, Organisation: e.Organisation, Recording: e.Recording, Why: err.Error()}
		failed := l.write(f, h, undone)
		h.open = failed != nil
		return errors.Join(err, failed)
	})
}

// Checkpoint adds a checkpoint, signed if there is a key, and returns its line.
func (l *Log) Checkpoint(why string, key ed25519.PrivateKey) (line []byte, err error) {
	err = l.locked(func(f *os.File, h *head) error {
		e := chain.Entry{Kind: chain.Checkpoint, Log: h.id, Why: why}
		e.Seq, e.Prev, e.At = h.last.Seq+1, h.last.Hash, l.stamp()
		if key != nil {
			e.Sign(key)
		}
		if line, err = e.Encode(); err != nil {
			return err
		}
		return l.write(f, h, e)
	})
	return line, err
}

func (l *Log) stamp() time.Time { return l.now().UTC().Truncate(time.Millisecond) }

// locked calls do with the file, which is locked, and its end.
func (l *Log) locked(do func(f *os.File, h *head) error) error { return l.lockedBy(durable.Lock, do) }

func (l *Log) lockedBy(lock func(*os.File) error, do func(f *os.File, h *head) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, info, err := l.open(lock)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	defer func() { f.Close() }() // which unlocks it
	h := l.head
	if h.open || h.file == nil || !os.SameFile(h.file, info) || h.size != info.Size() {
		if f, err = l.resume(f, info, &h); err != nil {
			return fmt.Errorf("evidence: %s: %w", l.path, err)
		}
	}
	err = do(f, &h)
	l.head = h
	return err
}

// open opens the file and locks it. Another process may put the file aside while this
// one waits for the lock; then it opens the new one.
func (l *Log) open(lock func(*os.File) error) (*os.File, os.FileInfo, error) {
	for {
		var f *os.File
		err := l.inFolder(func(d *durable.Folder) (err error) {
			f, err = d.OpenShared(filepath.Base(l.path), os.O_RDWR|os.O_APPEND)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		if err = lock(f); err == nil {
			var ours, named os.FileInfo
			if ours, err = f.Stat(); err == nil {
				if named, err = os.Lstat(l.path); err == nil && os.SameFile(ours, named) {
					return f, ours, nil
				}
			}
		}
		f.Close()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, nil, err
		}
	}
}

// write adds an entry and has it on the disk when it returns. It leaves nothing of an
// entry that it cannot write whole.
func (l *Log) write(f *os.File, h *head, e chain.Entry) error {
	e.Seq, e.Prev = h.last.Seq+1, h.last.Hash
	if e.At.IsZero() {
		e.At = l.stamp()
	}
	line, err := e.Encode()
	if err != nil {
		return err
	}
	if _, err := f.Write(line); err != nil {
		return errors.Join(fmt.Errorf("evidence: %w", err), f.Truncate(h.size))
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	h.last, h.size = e, h.size+int64(len(line))
	if h.file == nil {
		h.file, err = f.Stat()
	}
	return err
}

// resume finds the end of a file that this process did not leave so. It begins the log
// if the file is empty, and settles what another process has left open.
func (l *Log) resume(f *os.File, info os.FileInfo, h *head) (*os.File, error) {
	before := *h
	end, err := readEnd(f, info.Size())
	if err != nil {
		f, err = l.putAside(f, h, err)
		return f, err
	}
	*h = head{id: end.id, last: end.last, size: end.size, file: info}
	if end.torn > 0 {
		if err := f.Truncate(end.size); err != nil {
			return f, err
		}
	}
	if h.last.Seq == 0 {
		if err := l.begin(f, h); err != nil {
			return f, err
		}
	}
	if before.file != nil && !before.stands(f) {
		e := chain.Entry{Kind: chain.Damaged, Why: fmt.Sprintf("this process had written entry %d of the log %s, and does not find it any more: the log ends at entry %d of %s",
			before.last.Seq, before.id, end.last.Seq, h.id)}
		if err := l.write(f, h, e); err != nil {
			return f, err
		}
	}
	if end.torn > 0 {
		e := chain.Entry{Kind: chain.Recovered, Why: fmt.Sprintf("the last %d bytes of this log had no end and are taken away: their writer was killed", end.torn)}
		if err := l.write(f, h, e); err != nil {
			return f, err
		}
	}
	return f, l.settle(f, h, end.open)
}

// settle writes what has become of what another process began, and carries it out.
func (l *Log) settle(f *os.File, h *head, open chain.Entry) error {
	if open.Seq == 0 {
		return nil
	}
	entries, do, err := l.books.Settle(open)
	if err != nil {
		return err
	}
	if h.last.Kind == chain.Recovered && h.last.Of == open.Seq {
		entries = nil // an attempt before this one has written them, and could not carry it out
	}
	for _, e := range entries {
		if err := l.write(f, h, e); err != nil {
			return err
		}
	}
	if do == nil {
		return nil
	}
	return do()
}

// begin writes the first entry.
func (l *Log) begin(f *os.File, h *head) error {
	size, sum, recordings, err := l.books.Begin()
	if err != nil {
		return err
	}
	var id [16]byte
	rand.Read(id[:])
	e := chain.Entry{Kind: chain.Begun, Log: hex.EncodeToString(id[:]), Size: size, Sum: sum, Older: recordings}
	if err := l.write(f, h, e); err != nil {
		return err
	}
	h.id = e.Log
	return l.inFolder(func(d *durable.Folder) error { return d.Sync() })
}

// inFolder calls do with the folder of the log, which must be no link: the folder above
// may belong to FreeSWITCH's user.
func (l *Log) inFolder(do func(*durable.Folder) error) error {
	dir := filepath.Dir(l.path)
	d, err := durable.OpenFolder(filepath.Dir(dir), dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return do(d)
}

// putAside gives a file that cannot be continued another name, and begins a new log,
// which tells of it.
func (l *Log) putAside(f *os.File, h *head, why error) (*os.File, error) {
	aside := strings.TrimSuffix(l.path, fileExt) + l.now().UTC().Format(".20060102T150405.000000000") + fileExt
	if err := l.inFolder(func(d *durable.Folder) error { return d.Rename(filepath.Base(l.path), filepath.Base(aside)) }); err != nil {
		return f, errors.Join(why, err)
	}
	f.Close()
	fresh, _, err := l.open(durable.Lock)
	if err != nil {
		return f, errors.Join(why, err)
	}
	*h = head{}
	if err := l.begin(fresh, h); err != nil {
		return fresh, err
	}
	return fresh, l.write(fresh, h, chain.Entry{Kind: chain.Damaged, Why: fmt.Sprintf("the log before is damaged (%v): it is kept as %s", why, filepath.Base(aside))})
}

// fileEnd is what the beginning and the end of a file say.
type fileEnd struct {
	id   string
	last chain.Entry
	open chain.Entry // the last one that tells of something to be done; its Seq is 0 if that is settled
	size int64       // without a last line that has no end
	torn int64       // bytes of that line
}

// readEnd reads the first and the last entries. The error says that they are damaged.
func readEnd(f *os.File, size int64) (end fileEnd, err error) {
	block := make([]byte, min(size, endSize))
	if _, err := f.ReadAt(block, size-int64(len(block))); err != nil {
		return end, err
	}
	whole := bytes.LastIndexByte(block, '\n') + 1
	end.torn = int64(len(block) - whole)
	if end.torn > chain.MaxLine {
		return end, errors.New("its last line has no end, and is longer than any entry")
	}
	if end.size = size - end.torn; end.size == 0 {
		return end, nil
	}
	lines := block[:whole]
	if int64(len(block)) < size { // the first one is not whole
		lines = lines[bytes.IndexByte(lines, '\n')+1:]
	}
	if end.last, end.open, err = lastEntries(lines); err != nil {
		return end, fmt.Errorf("its last lines: %w", err)
	}
	block = block[:min(int64(len(block)), end.size, chain.MaxLine)]
	if _, err := f.ReadAt(block, 0); err != nil {
		return end, err
	}
	line, _, _ := bytes.Cut(block, []byte("\n"))
	first, err := chain.Decode(line)
	if err == nil && first.Kind != chain.Begun {
		err = errors.New("it does not begin a log")
	}
	if err != nil {
		return end, fmt.Errorf("its first line: %w", err)
	}
	end.id = first.Log
	return end, nil
}

// endSize is how much of the end of a file is read: more than one entry, and those about
// it.
const endSize = 4 * chain.MaxLine

// lastEntries returns the last entry of a text, and the last one that is not about
// another entry; nothing if that is settled.
func lastEntries(text []byte) (last, open chain.Entry, err error) {
	for settled := int64(0); len(text) > 0; {
		text = text[:len(text)-1]
		at := bytes.LastIndexByte(text, '\n') + 1
		e, err := chain.Decode(text[at:])
		if err != nil {
			return last, open, err
		}
		if last.Seq == 0 {
			last = e
		}
		switch e.Kind {
		case chain.Undone:
			settled = e.Of
		case chain.Recovered, chain.Damaged:
		default:
			if e.Seq != settled {
				open = e
			}
			return last, open, nil
		}
		text = text[:at]
	}
	if last.Seq == 0 {
		err = errors.New("none is an entry")
	}
	return last, open, err
}
