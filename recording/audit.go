package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const auditName = "audit.jsonl"

// Actor is who does something, and from where: an address, or the command line.
type Actor struct{ Who, From string }

// What is done, in the audit file.
const (
	AuditDelete       = "delete"
	AuditHold         = "hold"
	AuditUnhold       = "unhold"
	AuditListen       = "listen"
	AuditDownload     = "download"
	AuditToggle       = "toggle"
	AuditSignIn       = "sign-in"
	AuditSignInFailed = "sign-in failed"
	AuditSignOut      = "sign-out"
	AuditExport       = "export"  // of a list, or of several recordings
	AuditRefused      = "refused" // somebody may not do what they asked for
	AuditFailed       = "failed"  // what the line before said
)

// AuditLine is one line of the audit file.
type AuditLine struct {
	At           time.Time `json:"at"`
	Who          string    `json:"who"`
	What         string    `json:"what"`
	Organisation string    `json:"organisation,omitempty"`
	Brand        string    `json:"brand,omitempty"` // of the account, where there is no organisation
	Recording    string    `json:"recording,omitempty"`
	From         string    `json:"from,omitempty"`
	Detail       string    `json:"detail,omitempty"`
	Offset       int64     `json:"-"` // where it begins in the file, once it was read: no other line has it
}

// Audit is the file <dir>/audit.jsonl, to which lines are added and never changed.
// Several processes may add to it at once.
type Audit struct{ path string }

// NewAudit names the file; it is made by the first line.
func NewAudit(d Dir) *Audit { return &Audit{filepath.Join(d.root, auditName)} }

// Path is where the file is.
func (a *Audit) Path() string { return a.path }

// Add adds a line, and has it on the disk when it returns. Of a line that cannot
// be written whole nothing stays.
func (a *Audit) Add(l AuditLine) error {
	l.At = utc(l.At)
	for _, text := range []*string{&l.Who, &l.What, &l.Organisation, &l.Brand, &l.Recording, &l.From} {
		*text = Clean(*text, maxText)
	}
	l.Detail = Clean(l.Detail, maxReason)
	line, err := json.Marshal(l)
	if err == nil {
		err = a.add(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("recording: audit: %w", err)
	}
	return nil
}

func (a *Audit) add(line []byte) (err error) {
	f, err := openShared(a.path, os.O_RDWR|os.O_APPEND)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }() // which unlocks it
	if err := flock(f); err != nil {
		return err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if torn, err := isTorn(f, end); err != nil {
		return err
	} else if torn {
		line = append([]byte{'\n'}, line...)
	}
	if _, err = f.Write(line); err != nil {
		return errors.Join(err, f.Truncate(end))
	}
	return f.Sync()
}

// isTorn reports whether the last line has no end: the power went while it was
// written.
func isTorn(f *os.File, end int64) (bool, error) {
	if end == 0 {
		return false, nil
	}
	var last [1]byte
	_, err := f.ReadAt(last[:], end-1)
	return last[0] != '\n', err
}
