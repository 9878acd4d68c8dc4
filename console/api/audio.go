package api

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/console/query"
)

// maxRanges is how many ranges of a file a request may ask for: a player asks for
// one.
const maxRanges = 8

// sound finds the audio that a request asks for: to be played, or with download=1
// to be taken away.
func (a *API) sound(r *http.Request, v *identity.Visit) (ops.Sound, error) {
	f := query.Form{Values: r.URL.Query()}
	download := f.OneOf("download", "0", "1") == "1"
	if f.Known("download"); f.Err != nil {
		return ops.Sound{}, f.Err
	}
	return a.Operations.Recordings.Sound(r.Context(), v.Visitor, r.PathValue("id"), download)
}

func (a *API) getWAV(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	sound, err := a.sound(r, v)
	if err != nil {
		return err
	}
	return a.sendSound(w, r, v, sound, "audio/wav")
}

func (a *API) getMP3(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	sound, err := a.sound(r, v)
	if err == nil {
		sound, err = a.Operations.Recordings.MP3(r.Context(), v.Visitor, sound)
	}
	if err != nil {
		return err
	}
	return a.sendSound(w, r, v, sound, "audio/mpeg")
}

// getWaveform sends the picture of a recording. It has its colours in itself, and
// may do nothing else.
func (a *API) getWaveform(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	file, info, err := a.Operations.Recordings.Waveform(r.Context(), v.Visitor, r.PathValue("id"))
	if err != nil {
		return err
	}
	defer file.Close()
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'")
	http.ServeContent(w, r, "", info.ModTime(), file)
	return nil
}

// sendSound sends a file, or the ranges of it that are asked for.
func (a *API) sendSound(w http.ResponseWriter, r *http.Request, v *identity.Visit, sound ops.Sound, kind string) error {
	if err := checkRange(r.Header.Values("Range")); err != nil {
		return err
	}
	file, info, err := a.Operations.Recordings.Open(v.Visitor, sound, taken(r))
	if err != nil {
		return err
	}
	defer file.Close()
	disposition := "inline"
	if sound.Download() {
		disposition = mime.FormatMediaType("attachment", map[string]string{"filename": sound.FileName()})
	}
	w.Header().Set("Content-Disposition", disposition)
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Etag", sound.Tag(info))
	only := &rangeWriter{ResponseWriter: w}
	http.ServeContent(only, r, "", info.ModTime(), file)
	if only.refused {
		return badRange(fmt.Sprintf("the file has %d bytes", info.Size()))
	}
	return nil
}

// taken says which part of a file a request takes.
func taken(r *http.Request) ops.Taken {
	part := strings.ReplaceAll(r.Header.Get("Range"), " ", "")
	switch {
	case r.Method == http.MethodHead:
		return ops.Nothing
	case part != "" && !strings.HasPrefix(part, "bytes=0-"):
		return ops.Continuation
	}
	return ops.Beginning
}

func badRange(detail string) error {
	return &ops.Fault{Status: http.StatusRequestedRangeNotSatisfiable, Code: "range", Detail: detail}
}

// checkRange refuses what http.ServeContent would take: very many ranges, and the
// last 0 bytes, which are no range (RFC 9110, 14.1.3).
func checkRange(headers []string) error {
	if len(headers) == 0 {
		return nil
	}
	ranges := strings.Split(strings.TrimPrefix(headers[0], "bytes="), ",")
	if len(headers) > 1 || len(ranges) > maxRanges {
		return badRange(fmt.Sprintf("ask for at most %d ranges at once", maxRanges))
	}
	for _, part := range ranges {
		if suffix, is := strings.CutPrefix(strings.TrimSpace(part), "-"); is && strings.Trim(suffix, "0") == "" {
			return badRange("the last 0 bytes are no range")
		}
	}
	return nil
}

// rangeWriter holds back what http.ServeContent answers to ranges that the file
// does not have: the API answers with a problem, as to every mistake.
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
