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
)

const (
	fileName = "audit.jsonl"

	maxWord   = 256  // bytes
	maxDetail = 1000 // bytes
)

// Actor is who does something, and from where: an address, or the command line.
type Actor struct{ Who, From string }

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
	SignOut      = "sign-out"
	Export       = "export"  // of a list, or of several recordings
	Refused      = "refused" // somebody may not do what they asked for
	Failed       = "failed"  // what the line before says was not done
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
	// Offset is where a line that was read begins in the file. No other line has it.
	Offset int64 `json:"-"`
}

// Log is the file audit.jsonl in a folder. Several processes may add to it at once.
type Log struct{ path string }

// New names the file. The first line makes it; the folder must be there.
func New(dir string) *Log { return &Log{filepath.Join(dir, fileName)} }

// Path returns the path of the file.
func (l *Log) Path() string { return l.path }

// Add adds a line, and has it on the disk when it returns. It leaves nothing of a
// line that it cannot write whole. Times are written in UTC, to the millisecond;
// texts are cut and made harmless.
func (l *Log) Add(line Line) error {
	line.At = tidy.Time(line.At)
	for _, text := range []*string{&line.Who, &line.What, &line.Organisation, &line.Brand, &line.Recording, &line.From} {
		*text = tidy.Text(*text, maxWord)
	}
	line.Detail = tidy.Text(line.Detail, maxDetail)
	text, err := json.Marshal(line)
	if err == nil {
		err = l.add(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("audit: add: %w", err)
	}
	return nil
}

func (l *Log) add(text []byte) (err error) {
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
	if torn, err := isTorn(f, end); err != nil {
		return err
	} else if torn {
		text = append([]byte{'\n'}, text...)
	}
	if _, err = f.Write(text); err != nil {
		return errors.Join(err, f.Truncate(end))
	}
	return f.Sync()
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
