// Package audit keeps the audit log: who did what to which recording, when and
// from where. Lines are added to a file and never changed.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/internal/tidy"
	"tapedeck/recording/chain"
	"tapedeck/recording/evidence"
)

const (
	fileName = "audit.jsonl"

	maxWord   = 256  // bytes
	maxDetail = 1000 // bytes
)

// Actor is who does something, and from where: an address, or the command line. For is
// in whose name, if they say one: nobody has checked it.
type Actor struct{ Who, From, For string }

// Origin is what a line has as From.
func (a Actor) Origin() string {
	if a.For == "" {
		return a.From
	}
	return a.From + ", for " + a.For
}

// What is done.
const (
	Delete       = "delete"
	Hold         = "hold"
	Unhold       = "unhold"
	Listen       = "listen"
	Download     = "download"
	Toggle       = "toggle"
	SignIn       = "sign-in"
	SignInFailed = "sign-in failed"
	SignInFlood  = "sign-in flood" // so many failed that they are counted, not listed
	SignOut      = "sign-out"
	Export       = "export"  // of a list, or of several recordings
	Refused      = "refused" // somebody may not do what they asked for
	Failed       = "failed"  // what the line before says was not done
	Read         = "audit"   // the audit log was read
	WrongToken   = "wrong token"
	Stranger     = "stranger" // somebody at the outbound socket is not what he says
	Forged       = "forged"   // a record in Redis is not believed
	Account      = "account"  // an account was added, changed or removed
	Token        = "token"    // a token was added or revoked
	Policy       = "policy"   // another policy is in force
)

// Line is one line of the file.
type Line struct {
	At           time.Time `json:"at"`
	Who          string    `json:"who"`
	What         string    `json:"what"`
	Organisation string    `json:"organisation,omitempty"`
	Brand        string    `json:"brand,omitempty"` // of the account, where there is no organisation
	Recording    string    `json:"recording,omitempty"`
	From         string    `json:"from,omitempty"`
	Detail       string    `json:"detail,omitempty"`
	Log          string    `json:"log,omitempty"` // id of the evidence log that has the line
	Seq          int64     `json:"seq,omitempty"` // of its entry there
	// Offset is where a line that was read begins in the file. No other line has it.
	Offset int64 `json:"-"`
}

// Log is the file audit.jsonl in a folder. Several processes may add to it at once.
type Log struct {
	path     string
	evidence *evidence.Log
}

// New names the file. The first line makes it; the folder must be there. Each line is
// an entry of the evidence log, too, unless that is nil.
func New(dir string, ev *evidence.Log) *Log { return &Log{filepath.Join(dir, fileName), ev} }

// Path returns the path of the file.
func (l *Log) Path() string { return l.path }

// Evidence returns the evidence log; nil if there is none.
func (l *Log) Evidence() *evidence.Log { return l.evidence }

// ErrNotWritten is what Add returns if it has not written the line.
var ErrNotWritten = errors.New("audit: the line is not written")

// Add adds a line, and has it on the disk when it returns. It leaves nothing of a
// line that it cannot write whole. Times are written in UTC, to the millisecond;
// texts are cut and made harmless.
func (l *Log) Add(line Line) error {
	line.At = tidy.Time(line.At)
	for _, text := range []*string{&line.Who, &line.What, &line.Organisation, &line.Brand, &line.Recording, &line.From} {
		*text = tidy.Text(*text, maxWord)
	}
	line.Detail = tidy.Text(line.Detail, maxDetail)
	if err := l.add(line); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	return nil
}

// add writes a line into the evidence log and then into the file.
func (l *Log) add(line Line) error {
	if l.evidence == nil {
		text, err := json.Marshal(line)
		if err != nil {
			return err
		}
		return l.append(text)
	}
	if err := l.recordTorn(); err != nil {
		return err
	}
	var text []byte
	return l.evidence.Record(func(id string, seq int64) (chain.Entry, error) {
		line.Log, line.Seq = id, seq
		var err error
		text, err = json.Marshal(line)
		e := chain.Entry{Kind: chain.Line, Line: text}
		if line.What == Delete {
			e.Organisation, e.Recording = line.Organisation, line.Recording
		}
		return e, err
	}, func() error { return l.append(text) })
}

// append adds a line to the file.
func (l *Log) append(text []byte) error {
	return l.locked(func(f *os.File, end int64) error {
		text = append(text, '\n')
		if torn, err := isTorn(f, end); err != nil {
			return err
		} else if torn {
			text = append([]byte{'\n'}, text...)
		}
		if _, err := f.Write(text); err != nil {
			return errors.Join(err, f.Truncate(end))
		}
		return f.Sync()
	})
}

// open opens the file for reading: no link, and no pipe, which could block.
func (l *Log) open() (*os.File, error) { return durable.OpenRegular(l.path) }

// locked calls do with the file, which is locked, and its size.
func (l *Log) locked(do func(f *os.File, end int64) error) (err error) {
	f, err := durable.OpenShared(l.path, os.O_RDWR|os.O_APPEND)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }() // which unlocks it
	if err := durable.Lock(f); err != nil {
		return err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	return do(f, end)
}

// isTorn reports whether the last line has no end, because the power went while it
// was written.
func isTorn(f *os.File, end int64) (bool, error) {
	if end == 0 {
		return false, nil
	}
	var last [1]byte
	_, err := f.ReadAt(last[:], end-1)
	return last[0] != '\n', err
}
