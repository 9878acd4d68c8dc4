package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tapedeck/internal/durable"
	"tapedeck/recording/evidence"
)

const (
	maxSidecar = 8 << 20 // bytes
	maxSpans   = 20_000
	maxList    = 1_000 // users, problems
)

// check returns why a sidecar is refused: it has another version, or does not say
// which recording it is of in a way that a path can be made of.
func (s Sidecar) check() error {
	if s.Version != Version {
		return fmt.Errorf("it is of version %d, this Tapedeck reads %d", s.Version, Version)
	}
	if !isCall(s.Call) || s.Part < 0 || s.Part > maxPart {
		return fmt.Errorf("call %.80q, part %d is no recording's id", s.Call, s.Part)
	}
	if !isOrganisation(s.Organisation) {
		return fmt.Errorf("organisation %.80q is no id", s.Organisation)
	}
	if y := s.Started.UTC().Year(); s.Started.IsZero() || y < 1 || y > 9999 {
		return errors.New("it has no time at which the call started")
	}
	return nil
}

// Path returns where the recording's sound file lies.
func (s Sidecar) Path(d Dir) (string, error) {
	return d.PartPath(s.Organisation, s.Started, s.Call, s.Part)
}

// ReadSidecar reads a sidecar. It refuses one that is too large, has another
// version, or does not say which recording it is of.
func ReadSidecar(path string) (Sidecar, error) {
	data, err := readRegular(path, maxSidecar)
	var s Sidecar
	if err == nil {
		s, err = decodeSidecar(data)
	}
	if err != nil {
		return Sidecar{}, fmt.Errorf("recording: sidecar %s: %w", path, err)
	}
	return s, nil
}

func decodeSidecar(data []byte) (Sidecar, error) {
	var s Sidecar
	if err := json.Unmarshal(data, &s); err != nil {
		return Sidecar{}, err
	}
	return s, s.check()
}

// readRegular reads a regular file of at most max bytes.
func readRegular(path string, max int64) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if int64(len(data)) > max {
		return nil, fmt.Errorf("it has more than %d bytes", max)
	}
	return data, err
}

// openRegular opens a file for reading, but no link, and no pipe or device, which could
// block.
func openRegular(path string) (*os.File, error) { return durable.OpenRegular(path) }

// WriteSidecar writes a sidecar, whole or not at all, and has it on the disk when
// it returns. The folder must exist. No log tells of it: the archive, holds and
// deletions are what writes sidecars in service.
func WriteSidecar(path string, s Sidecar) error {
	data, err := s.checked()
	if err == nil {
		err = (Dir{filepath.Dir(path)}).inFolder(path, func(folder *durable.Folder, name string) error { return folder.Replace(name, data, true) })
	}
	if err != nil {
		return fmt.Errorf("recording: write sidecar: %w", err)
	}
	return nil
}

// checked returns the text of the sidecar, unless it is one that would be refused.
func (s Sidecar) checked() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("sidecar of %.80q: %w", s.ID(), err)
	}
	return s.encode()
}

// save writes the sidecar at a path, and makes its folder if FreeSWITCH did not. A
// hold that was put on the recording meanwhile stays. It returns what it wrote.
func (d Dir) save(ev *evidence.Log, path string, s Sidecar) (Sidecar, error) {
	if err := d.makeDirs(path); err != nil {
		return Sidecar{}, fmt.Errorf("recording: folder of sidecar: %w", err)
	}
	err := d.locked(func() error {
		if s.Hold == nil {
			if old, err := ReadSidecar(path); err == nil && old.ID() == s.ID() {
				s.Hold = old.Hold
			}
		}
		return d.writeSidecar(ev, path, s)
	})
	return s, err
}

// encode returns the text of the sidecar. If that is too large to be read again,
// encode leaves out the middle of the trace, and then the last spans.
func (s Sidecar) encode() ([]byte, error) {
	s = s.clone()
	s.Users, s.Problems = s.Users[:min(len(s.Users), maxList)], s.Problems[:min(len(s.Problems), maxList)]
	s.cutSpans(maxSpans)
	for {
		data, err := json.Marshal(s)
		switch {
		case err != nil:
			return nil, err
		case len(data) < maxSidecar:
			return append(data, '\n'), nil
		case len(s.Trace) > 1:
			s.cutTrace()
		case len(s.Spans) > 1:
			s.cutSpans(len(s.Spans) / 2)
		default:
			return nil, fmt.Errorf("it has %d bytes, more than %d", len(data), maxSidecar)
		}
	}
}

// cutTrace replaces the middle half of the trace by a note.
func (s *Sidecar) cutTrace() {
	quarter := len(s.Trace) / 4
	cut := Note{At: s.Trace[quarter].At, What: NoteCut, Result: fmt.Sprintf("%d lines are left out", len(s.Trace)-2*quarter)}
	last := s.Trace[len(s.Trace)-quarter:]
	s.Trace = append(append(s.Trace[:quarter:quarter], cut), last...)
}

// cutSpans keeps only the first spans, at most so many, and says so.
func (s *Sidecar) cutSpans(most int) {
	if len(s.Spans) > most {
		s.Spans = s.Spans[:most]
		s.AddProblem(StateUnknown, fmt.Sprintf("only the first %d spans are listed", most))
	}
}
