package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store/index"
)

// Sound is a recording whose audio a visitor may have.
type Sound struct {
	entry    index.Recording
	side     recording.Sidecar
	path     string // of the WAV, or of the MP3 made from it
	download bool   // to be taken away, not to be played in the page
}

// Sound finds the audio of a recording: to be played in a page, or to be
// downloaded.
func (r *Recordings) Sound(ctx context.Context, v Visitor, id string, download bool) (Sound, error) {
	right := access.Listen
	if download {
		right = access.Download
	}
	entry, err := r.findTo(ctx, v, id, right)
	if err != nil {
		return Sound{}, err
	}
	s, err := r.soundOf(entry)
	s.download = download
	return s, err
}

// soundOf is the audio of a recording that was found. The error is ErrNoSound if
// it has none.
func (r *Recordings) soundOf(entry index.Recording) (Sound, error) {
	side, err := r.sidecar(entry)
	if err != nil {
		return Sound{}, err
	}
	if side.File == nil {
		return Sound{}, ErrNoSound
	}
	path, err := r.soundPath(entry)
	return Sound{entry: entry, side: side, path: path}, err
}

// MP3 makes the MP3 of a sound for a visitor, if it is not there yet.
func (r *Recordings) MP3(ctx context.Context, v Visitor, s Sound) (Sound, error) {
	path, err := r.encoder.MP3(ctx, v.Account.Name, s.path, s.side)
	if err == nil {
		err = ctx.Err() // a visitor who left meanwhile has not heard it
	}
	s.path = path
	return s, err
}

// Waveform opens the picture of a recording, an SVG. The caller closes it.
func (r *Recordings) Waveform(ctx context.Context, v Visitor, id string) (*os.File, fs.FileInfo, error) {
	entry, err := r.Find(ctx, v, id)
	if err != nil {
		return nil, nil, err
	}
	s, err := r.soundOf(entry)
	if err != nil {
		return nil, nil, err
	}
	path, err := recording.Waveform(ctx, r.shop, r.dir, s.path)
	if err != nil {
		return nil, nil, err
	}
	return r.open(path)
}

// open opens a file below the recordings' folder.
func (r *Recordings) open(path string) (*os.File, fs.FileInfo, error) {
	file, err := r.dir.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, ErrNoSound
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// Taken says which part of a sound a request takes.
type Taken int

// A player takes a file in many parts, which are one line of the audit log; a
// download is a line each time it begins.
const (
	Nothing      Taken = iota // only what the file is like: no line
	Beginning                 // the whole file, or its beginning
	Continuation              // a later part
)

// Open opens the file of a sound. The audit line comes first: without it not a
// byte goes out. If the sound is only played, there is another line before nearly all of it
// has gone out. The caller closes the file.
func (r *Recordings) Open(v Visitor, s Sound, taken Taken) (io.ReadSeekCloser, fs.FileInfo, error) {
	file, info, err := r.open(s.path)
	if err != nil {
		return nil, nil, err
	}
	if err := r.audit.sound(v, s, taken); err != nil {
		file.Close()
		return nil, nil, err
	}
	if s.download || info.Size() == 0 {
		return file, info, nil
	}
	return r.audit.playing(v, s, file, info.Size(), s.Tag(info)), info, nil
}

// sound writes that a visitor hears a recording, or downloads it.
func (a *auditWriter) sound(v Visitor, s Sound, taken Taken) error {
	detail := s.kind()
	switch {
	case taken == Nothing:
		return nil
	case !s.download:
		return a.writeOnce(v, audit.Listen, s.entry.Organisation, s.entry.ID, detail)
	case taken == Continuation:
		return a.writeOnce(v, audit.Download, s.entry.Organisation, s.entry.ID, detail)
	}
	return a.write(v, audit.Download, s.entry.Organisation, s.entry.ID, detail)
}

// kind is WAV or MP3.
func (s Sound) kind() string { return strings.ToUpper(strings.TrimPrefix(s.ext(), ".")) }

func (s Sound) ext() string { return s.path[strings.LastIndexByte(s.path, '.'):] }

// Download reports whether the sound is to be taken away, not to be played.
func (s Sound) Download() bool { return s.download }

// FileName is the name of a downloaded file. It has no text that a caller chose.
func (s Sound) FileName() string {
	words := []string{s.side.Started.UTC().Format("2006-01-02_150405"), s.entry.Organisation}
	if number := strings.Map(digitsOnly, s.side.External); number != "" {
		words = append(words, number[:min(len(number), 20)])
	}
	return strings.Join(append(words, s.entry.ID), "_") + s.ext()
}

func digitsOnly(r rune) rune {
	if r >= '0' && r <= '9' || r == '+' {
		return r
	}
	return -1
}

// Tag is the entity tag of the sound's file (RFC 9110, section 8.8.3). It changes
// with the recording, and when the file is written anew.
func (s Sound) Tag(info fs.FileInfo) string {
	return fmt.Sprintf(`"%.16s-%x-%x"`, strings.Map(hexOnly, s.side.File.SHA256), info.Size(), info.ModTime().UnixNano()/int64(time.Microsecond))
}

func hexOnly(r rune) rune {
	if r >= '0' && r <= '9' || r >= 'a' && r <= 'f' {
		return r
	}
	return -1
}
