package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"tapedeck/recording/chain"
)

// Sum returns the size and the SHA-256 of the file. A missing file is empty.
func (l *Log) Sum() (size int64, sum string, err error) {
	f, err := l.open()
	if errors.Is(err, fs.ErrNotExist) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return size, hex.EncodeToString(h.Sum(nil)), err
}

// Settle looks whether the file has a line, as an entry of the evidence log has it. If it
// has not, Settle returns what is to be written into that log, and what is to be done
// after that, so that the file has the line.
func (l *Log) Settle(seq int64, text []byte) (entries []chain.Entry, do func() error, err error) {
	has, err := l.has(text)
	if err != nil || has {
		return nil, nil, err
	}
	torn, err := l.torn()
	if err != nil {
		return nil, nil, err
	}
	if len(torn) > 0 {
		e := tornEntry(torn)
		e.Of = seq
		entries = append(entries, e)
	}
	if bytes.Equal(torn, text) {
		return entries, l.endTorn, nil
	}
	entries = append(entries, chain.Entry{Kind: chain.Recovered, Of: seq,
		Why: fmt.Sprintf("the audit log did not have the line of entry %d: it is put there", seq)})
	return entries, func() error { return l.append(bytes.Clone(text)) }, nil
}

// has reports whether the file has a line. It looks for it from the end on.
func (l *Log) has(text []byte) (bool, error) {
	f, err := l.open()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	back := backward{r: f, end: size}
	for {
		line, err := back.line()
		if err == io.EOF || bytes.Equal(line, text) {
			return err == nil, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// recordTorn tells the evidence log of a last line that has no end, so that nobody
// takes it for one that was put there, and gives it its end.
func (l *Log) recordTorn() error {
	torn, err := l.torn()
	if err != nil || len(torn) == 0 {
		return err
	}
	e := tornEntry(torn)
	return l.evidence.Record(func(string, int64) (chain.Entry, error) { return e, nil }, l.endTorn)
}

// tornEntry tells of a last line that has no end.
func tornEntry(torn []byte) chain.Entry {
	if json.Valid(torn) { // all but its end is there
		return chain.Entry{Kind: chain.Recovered, Why: "the last line of the audit log lacked its end: its writer was killed"}
	}
	return chain.Entry{Kind: chain.Recovered, Torn: chain.SumOf(torn), Why: "the last line of the audit log has no end: its writer was killed"}
}

// torn returns the last line if it has no end. What another process is writing has one:
// torn waits for it.
func (l *Log) torn() (line []byte, err error) {
	err = l.locked(func(f *os.File, end int64) error {
		if torn, err := isTorn(f, end); !torn {
			return err
		}
		block := make([]byte, min(end, maxLine))
		if _, err := f.ReadAt(block, end-int64(len(block))); err != nil {
			return err
		}
		line = block[bytes.LastIndexByte(block, '\n')+1:]
		return nil
	})
	return line, err
}

// endTorn gives the last line its end.
func (l *Log) endTorn() error {
	return l.locked(func(f *os.File, end int64) error {
		torn, err := isTorn(f, end)
		if err != nil || !torn {
			return err
		}
		_, err = f.Write([]byte{'\n'})
		return errors.Join(err, f.Sync())
	})
}
