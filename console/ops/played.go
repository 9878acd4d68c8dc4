package ops

import (
	"io"
	"math/bits"
	"os"
	"sync"
	"time"

	"tapedeck/internal/recent"
	"tapedeck/recording/audit"
)

// Whoever may hear a recording can keep it. So it is followed which parts of a sound that
// is only played have gone out to an account; who has got nearly all of it has a line in
// the audit log, as if it had been downloaded. Of each part of the file that counts of
// which any byte has gone out.
const (
	playedParts  = 256
	playedWhole  = 0.95 // of the parts
	playedKept   = 24 * time.Hour
	playedFiles  = 10_000 // of which parts are remembered
	playedDetail = ", all of it by listening"
)

// playedFile names a file and who hears it. Tag changes with the file.
type playedFile struct{ who, organisation, id, tag string }

// played remembers which parts of which files have gone out.
type played struct {
	mu    sync.Mutex // so that of two requests that begin at once one makes the entry
	files recent.Map[playedFile, *heard]
}

func newPlayed() *played {
	return &played{files: recent.Map[playedFile, *heard]{Limit: playedFiles, Keep: playedKept}}
}

// of returns what has gone out of a file.
func (p *played) of(file playedFile) *heard {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.files.Get(file)
	if !ok {
		h = &heard{}
	}
	p.files.Put(file, h)
	return h
}

// heard are the parts of one file that have gone out to one account.
type heard struct {
	mu    sync.Mutex
	parts [playedParts / 64]uint64
}

// add adds the bytes from one place to another, and calls whole if that makes the file
// whole. If that fails, the file is not whole yet: the next byte tries again.
func (h *heard) add(from, to, size int64, whole func() error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := min(playedParts, size)
	for part := from * n / size; part <= (to-1)*n/size; part++ {
		h.parts[part/64] |= 1 << (part % 64)
	}
	count := 0
	for _, word := range h.parts {
		count += bits.OnesCount64(word)
	}
	if float64(count) < playedWhole*float64(n) {
		return nil
	}
	if err := whole(); err != nil {
		return err
	}
	h.parts = [playedParts / 64]uint64{}
	return nil
}

// playing is the file of a sound that is played. Nothing is read of it that is not
// accounted for.
type playing struct {
	file  *os.File
	at    int64
	size  int64
	heard *heard
	whole func() error // writes the line
}

// playing returns a file as a visitor gets it who hears it.
func (a *auditWriter) playing(v Visitor, s Sound, file *os.File, size int64, tag string) io.ReadSeekCloser {
	key := playedFile{v.Account.Name, s.entry.Organisation, s.entry.ID, tag + s.ext()}
	return &playing{file: file, size: size, heard: a.played.of(key), whole: func() error {
		return a.write(v, audit.Download, s.entry.Organisation, s.entry.ID, s.kind()+playedDetail)
	}}
}

func (p *playing) Read(data []byte) (int, error) {
	n, err := p.file.Read(data)
	if n <= 0 || p.at >= p.size { // it has grown meanwhile: nobody gets that
		return n, err
	}
	if err := p.heard.add(p.at, min(p.at+int64(n), p.size), p.size, p.whole); err != nil {
		return 0, err
	}
	p.at += int64(n)
	return n, err
}

func (p *playing) Seek(offset int64, whence int) (int64, error) {
	at, err := p.file.Seek(offset, whence)
	if err == nil {
		p.at = at
	}
	return at, err
}

func (p *playing) Close() error { return p.file.Close() }
