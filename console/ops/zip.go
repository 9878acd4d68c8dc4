package ops

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording/audit"
)

// maxSelected is how many recordings a ZIP may have.
const maxSelected = 200

// Manifest says what a ZIP holds; it is the last file in it.
type Manifest struct {
	Made       time.Time         `json:"made"`
	By         string            `json:"by"`
	Recordings []ManifestLine    `json:"recordings"`
	Missing    []ManifestMissing `json:"missing"`
}

// ManifestLine is one recording in a ZIP.
type ManifestLine struct {
	File      string        `json:"file"`
	Bytes     int64         `json:"bytes"`
	SHA256    string        `json:"sha256"`    // of what is in the ZIP
	Unchanged bool          `json:"unchanged"` // it is what the sidecar says
	Recording RecordingView `json:"recording"`
}

// ManifestMissing is a recording that was chosen and is not in the ZIP.
type ManifestMissing struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Selection is the sound of recordings that a visitor has chosen to download.
type Selection struct {
	recordings *Recordings
	sounds     []Sound
	manifest   Manifest
}

// Select finds the recordings of a selection, and writes an audit line for each
// that has sound. An id that comes twice counts once. If the visitor may not see
// or not download one of them, he gets none. A recording without sound is only
// named in the manifest.
func (r *Recordings) Select(ctx context.Context, v Visitor, ids []string) (*Selection, error) {
	ids = unique(ids)
	if len(ids) == 0 || len(ids) > maxSelected {
		return nil, BadRequest("ids: name 1 to %d recordings", maxSelected)
	}
	s := &Selection{recordings: r,
		manifest: Manifest{Made: utc(time.Now()), By: v.Account.Name, Recordings: []ManifestLine{}, Missing: []ManifestMissing{}}}
	for _, id := range ids {
		entry, err := r.findTo(ctx, v, id, access.Download)
		if err != nil {
			return nil, err
		}
		sound, err := r.soundOf(entry)
		switch {
		case errors.Is(err, ErrNoSound), errors.Is(err, ErrNotFound):
			s.misses(id, err)
			continue
		case err != nil:
			return nil, err
		}
		s.sounds = append(s.sounds, sound)
	}
	for _, sound := range s.sounds {
		if err := r.audit.write(v, audit.Download, sound.entry.Organisation, sound.entry.ID, "zip"); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Selection) misses(id string, why error) {
	s.manifest.Missing = append(s.manifest.Missing, ManifestMissing{id, why.Error()})
}

// unique returns a list in its order, without what comes again.
func unique(list []string) (once []string) {
	for _, text := range list {
		if !slices.Contains(once, text) {
			once = append(once, text)
		}
	}
	return once
}

// WriteZIP writes the selection as a ZIP with its manifest. It is called once. A
// recording whose file was deleted since Select is only named in the manifest.
func (s *Selection) WriteZIP(w io.Writer) error {
	z := zip.NewWriter(w)
	for _, sound := range s.sounds {
		line, err := s.recordings.addTo(z, sound)
		switch {
		case errors.Is(err, ErrNoSound):
			s.misses(sound.entry.ID, err)
		case err != nil:
			return err
		default:
			s.manifest.Recordings = append(s.manifest.Recordings, line)
		}
	}
	out, err := z.CreateHeader(&zip.FileHeader{Name: "manifest.json", Method: zip.Deflate, Modified: s.manifest.Made})
	if err != nil {
		return err
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	if err := e.Encode(&s.manifest); err != nil {
		return err
	}
	return z.Close()
}

// addTo adds one recording to a ZIP, uncompressed: compression would save little.
func (r *Recordings) addTo(z *zip.Writer, s Sound) (ManifestLine, error) {
	file, info, err := r.open(s.path)
	if err != nil {
		return ManifestLine{}, err
	}
	defer file.Close()
	name := s.entry.Organisation + "/" + s.FileName()
	out, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: info.ModTime().UTC()})
	if err != nil {
		return ManifestLine{}, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), file)
	if err != nil {
		return ManifestLine{}, err
	}
	hash := hex.EncodeToString(sum.Sum(nil))
	return ManifestLine{name, n, hash, hash == s.side.File.SHA256, ViewOf(s.entry)}, nil
}
