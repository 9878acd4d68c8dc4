package console

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording/audit"
)

// maxSelected is how many recordings a ZIP may have.
const maxSelected = 200

// postZIP sends a selection of recordings.
func (s *Server) postZIP(w http.ResponseWriter, r *http.Request, v *visit) error {
	var ids []string
	if err := readBody(w, r, map[string]any{"ids": &ids}); err != nil {
		return err
	}
	return s.sendZIP(w, r, v, ids)
}

// manifest says what a ZIP holds; it is the last file in it.
type manifest struct {
	Made       time.Time         `json:"made"`
	By         string            `json:"by"`
	Recordings []manifestLine    `json:"recordings"`
	Missing    []manifestMissing `json:"missing"`
}

type manifestLine struct {
	File      string        `json:"file"`
	Bytes     int64         `json:"bytes"`
	SHA256    string        `json:"sha256"`    // of what is in the ZIP
	Unchanged bool          `json:"unchanged"` // it is what the sidecar says
	Recording recordingView `json:"recording"`
}

type manifestMissing struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// sendZIP sends the sound of a selection, as it was written, and a manifest. An
// id that comes twice counts once. If one may not be seen, or not be taken away,
// nothing is sent; one without sound, or whose file goes while the others are
// sent, is in the manifest.
func (s *Server) sendZIP(w http.ResponseWriter, r *http.Request, v *visit, ids []string) error {
	ids = unique(ids)
	if len(ids) == 0 || len(ids) > maxSelected {
		return badRequest("ids: name 1 to %d recordings", maxSelected)
	}
	list := manifest{Made: utc(time.Now()), By: v.account.Name, Recordings: []manifestLine{}, Missing: []manifestMissing{}}
	var sounds []sound
	for _, id := range ids {
		entry, err := s.findTo(r.Context(), v, id, access.Download)
		if err != nil {
			return err
		}
		got, err := s.openable(entry)
		switch {
		case errors.Is(err, errNoSound), errors.Is(err, errNotFound):
			list.Missing = append(list.Missing, manifestMissing{id, err.Error()})
			continue
		case err != nil:
			return err
		}
		sounds = append(sounds, got)
	}
	for _, got := range sounds {
		if err := s.write(v, audit.Download, got.entry.Organisation, got.entry.ID, "zip"); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="recordings_`+time.Now().UTC().Format("2006-01-02_150405")+`.zip"`)
	if err := s.writeZIP(w, sounds, &list); err != nil {
		s.abort(r, err)
	}
	return nil
}

// unique is a list without what comes again, in its order.
func unique(list []string) (once []string) {
	for _, text := range list {
		if !slices.Contains(once, text) {
			once = append(once, text)
		}
	}
	return once
}

func (s *Server) writeZIP(w io.Writer, sounds []sound, list *manifest) error {
	z := zip.NewWriter(w)
	for _, got := range sounds {
		line, err := s.addSound(z, got)
		switch {
		case errors.Is(err, errNoSound):
			list.Missing = append(list.Missing, manifestMissing{got.entry.ID, err.Error()})
		case err != nil:
			return err
		default:
			list.Recordings = append(list.Recordings, line)
		}
	}
	out, err := z.CreateHeader(&zip.FileHeader{Name: "manifest.json", Method: zip.Deflate, Modified: list.Made})
	if err != nil {
		return err
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	if err := e.Encode(list); err != nil {
		return err
	}
	return z.Close()
}

// addSound adds the sound of one recording, uncompressed: it would not become
// much smaller.
func (s *Server) addSound(z *zip.Writer, got sound) (manifestLine, error) {
	file, info, err := s.open(got.path)
	if err != nil {
		return manifestLine{}, err
	}
	defer file.Close()
	name := got.entry.Organisation + "/" + got.fileName(".wav")
	out, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: info.ModTime().UTC()})
	if err != nil {
		return manifestLine{}, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), file)
	if err != nil {
		return manifestLine{}, err
	}
	hash := hex.EncodeToString(sum.Sum(nil))
	return manifestLine{name, n, hash, hash == got.side.File.SHA256, recordingViewOf(got.entry)}, nil
}
