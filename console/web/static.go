package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// asset is one file of the pages, under a name that changes with its content, so
// that a browser may keep it for ever.
type asset struct {
	body []byte
	kind string // media type
	tag  string // of its content
}

// assets has the files below static by the name in their address, and the addresses
// by the name of the file.
type assets struct {
	files     map[string]asset
	addresses map[string]string
}

// readAssets reads the embedded files.
func readAssets() (assets, error) {
	a := assets{map[string]asset{}, map[string]string{}}
	err := fs.WalkDir(staticFiles, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := staticFiles.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		tag := hex.EncodeToString(sum[:6])
		ext := path.Ext(name)
		base := strings.TrimSuffix(path.Base(name), ext)
		served := base + "." + tag + ext
		a.files[served] = asset{body, mediaType(ext), tag}
		a.addresses[base+ext] = "/static/" + served
		return nil
	})
	if err != nil {
		return a, fmt.Errorf("console: static files: %w", err)
	}
	return a, nil
}

// mediaType returns the type of our files without asking the machine's own list, which
// may lack it or have another.
func mediaType(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(ext)
}

// serve answers /static/{name}. The files hold no data of anybody, so no account is
// needed.
func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("ETag", `"`+file.tag+`"`)
	if r.Header.Get("If-None-Match") == `"`+file.tag+`"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", fmt.Sprint(len(file.body)))
	if r.Method != http.MethodHead {
		w.Write(file.body)
	}
}
