package console

import (
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store/index"
)

// sound is a recording whose audio somebody may have.
type sound struct {
	entry    index.Recording
	side     recording.Sidecar
	path     string // of the WAV
	download bool   // to be taken away, not to be played in the page
}

// findSound finds the audio that a request asks for: to be played, or with
// download=1 to be taken away.
func (s *Server) findSound(r *http.Request, v *visit) (sound, error) {
	f := form{values: r.URL.Query()}
	download := f.oneOf("download", "0", "1") == "1"
	if f.known("download"); f.err != nil {
		return sound{}, f.err
	}
	right := access.Listen
	if download {
		right = access.Download
	}
	entry, err := s.findTo(r.Context(), v, r.PathValue("id"), right)
	if err != nil {
		return sound{}, err
	}
	got, err := s.openable(entry)
	got.download = download
	return got, err
}

// openable is a recording of the index with what its sidecar says, if there is
// sound.
func (s *Server) openable(entry index.Recording) (sound, error) {
	side, err := s.sidecar(entry)
	if err != nil {
		return sound{}, err
	}
	if side.File == nil {
		return sound{}, errNoSound
	}
	path, err := s.soundPath(entry)
	return sound{entry: entry, side: side, path: path}, err
}

func (s *Server) getWAV(w http.ResponseWriter, r *http.Request, v *visit) error {
	got, err := s.findSound(r, v)
	if err != nil {
		return err
	}
	return s.sendSound(w, r, v, got, got.path, "audio/wav")
}

func (s *Server) getMP3(w http.ResponseWriter, r *http.Request, v *visit) error {
	got, err := s.findSound(r, v)
	if err != nil {
		return err
	}
	path, err := recording.MP3(r.Context(), s.alive, s.cfg.Dir, got.path, got.side)
	if err == nil {
		err = r.Context().Err() // whoever has gone meanwhile has not heard it
	}
	if err != nil {
		return err
	}
	return s.sendSound(w, r, v, got, path, "audio/mpeg")
}

// getWaveform sends the picture of a recording. Its colours are in the picture
// itself, which may do nothing else.
func (s *Server) getWaveform(w http.ResponseWriter, r *http.Request, v *visit) error {
	entry, err := s.find(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return err
	}
	got, err := s.openable(entry)
	if err != nil {
		return err
	}
	path, err := recording.Waveform(r.Context(), s.cfg.Dir, got.path)
	if err != nil {
		return err
	}
	file, info, err := s.open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'")
	http.ServeContent(w, r, "", info.ModTime(), file)
	return nil
}

// open opens a file below the recordings' folder.
func (s *Server) open(path string) (*os.File, fs.FileInfo, error) {
	file, err := s.cfg.Dir.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, errNoSound
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

// maxRanges is how many ranges of a file may be asked for at once: a player asks
// for one.
const maxRanges = 8

// sendSound sends a file, or the ranges of it that are asked for. The audit line
// comes first: without it not a byte is sent.
func (s *Server) sendSound(w http.ResponseWriter, r *http.Request, v *visit, got sound, path, kind string) error {
	if err := checkRange(r.Header.Values("Range")); err != nil {
		return err
	}
	file, info, err := s.open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := s.writeSound(r, v, got, kind); err != nil {
		return err
	}
	disposition := "inline"
	if got.download {
		disposition = "attachment"
	}
	name := got.fileName(path[strings.LastIndexByte(path, '.'):])
	w.Header().Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": name}))
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Etag", tagOf(got.side, info))
	only := &rangeWriter{ResponseWriter: w}
	http.ServeContent(only, r, "", info.ModTime(), file)
	if only.refused {
		return &fault{http.StatusRequestedRangeNotSatisfiable, "range", fmt.Sprintf("the file has %d bytes", info.Size()), 0}
	}
	return nil
}

// checkRange refuses ranges that http.ServeContent would take: very many, and the
// last 0 bytes, which are no range (RFC 9110, 14.1.3).
func checkRange(headers []string) error {
	refuse := func(detail string) error {
		return &fault{http.StatusRequestedRangeNotSatisfiable, "range", detail, 0}
	}
	if len(headers) == 0 {
		return nil
	}
	ranges := strings.Split(strings.TrimPrefix(headers[0], "bytes="), ",")
	if len(headers) > 1 || len(ranges) > maxRanges {
		return refuse(fmt.Sprintf("ask for at most %d ranges at once", maxRanges))
	}
	for _, part := range ranges {
		if suffix, is := strings.CutPrefix(strings.TrimSpace(part), "-"); is && strings.Trim(suffix, "0") == "" {
			return refuse("the last 0 bytes are no range")
		}
	}
	return nil
}

// writeSound puts into the audit log that somebody hears a recording, or takes it
// away. A player asks for a file in many parts, which are one line; a download is
// one each time it begins.
func (s *Server) writeSound(r *http.Request, v *visit, got sound, kind string) error {
	if r.Method == http.MethodHead {
		return nil
	}
	what, once := audit.Listen, true
	if got.download {
		what = audit.Download
		part := strings.ReplaceAll(r.Header.Get("Range"), " ", "")
		once = part != "" && !strings.HasPrefix(part, "bytes=0-")
	}
	detail := map[string]string{"audio/wav": "WAV", "audio/mpeg": "MP3"}[kind]
	if once {
		return s.writeOnce(v, what, got.entry.Organisation, got.entry.ID, detail)
	}
	return s.write(v, what, got.entry.Organisation, got.entry.ID, detail)
}

// fileName is what a recording is called where it is taken: nothing of it is as a
// caller wrote it.
func (got sound) fileName(ext string) string {
	words := []string{got.side.Started.UTC().Format("2006-01-02_150405"), got.entry.Organisation}
	if number := strings.Map(digitsOnly, got.side.External); number != "" {
		words = append(words, number[:min(len(number), 20)])
	}
	return strings.Join(append(words, got.entry.ID), "_") + ext
}

func digitsOnly(r rune) rune {
	if r >= '0' && r <= '9' || r == '+' {
		return r
	}
	return -1
}

// tagOf is the entity tag of a file: another one if it is another recording's, or
// was written anew.
func tagOf(side recording.Sidecar, info fs.FileInfo) string {
	sum := side.File.SHA256
	return fmt.Sprintf(`"%.16s-%x-%x"`, strings.Map(hexOnly, sum), info.Size(), info.ModTime().UnixNano()/int64(time.Microsecond))
}

func hexOnly(r rune) rune {
	if r >= '0' && r <= '9' || r >= 'a' && r <= 'f' {
		return r
	}
	return -1
}

// rangeWriter holds back what http.ServeContent answers to ranges that it cannot
// serve: that is said as everything else is.
type rangeWriter struct {
	http.ResponseWriter
	refused bool
}

func (w *rangeWriter) WriteHeader(status int) {
	if status == http.StatusRequestedRangeNotSatisfiable {
		w.refused = true
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *rangeWriter) Write(p []byte) (int, error) {
	if w.refused {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *rangeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
