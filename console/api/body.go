package api

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"tapedeck/console/ops"
)

// maxJSON is the largest body in JSON that an operation reads, in bytes.
const maxJSON = 64 << 10

var errNotJSON = &ops.Fault{Status: http.StatusUnsupportedMediaType, Code: "not_json", Detail: "send a body with Content-Type: application/json"}

// readBody reads a body that is one flat JSON object into fields: *string or
// *[]string by name. It refuses what encoding/json takes: a name that comes twice
// or in another case, and a string that is no text. An empty body is an empty
// object.
func readBody(w http.ResponseWriter, r *http.Request, fields map[string]any) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSON))
	if err != nil {
		return bodyError(err)
	}
	if len(data) == 0 {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return errNotJSON
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := readObject(d, fields); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return ops.BadRequest("the body goes on after its object")
	}
	return nil
}

// bodyError returns the fault for an error of reading the body.
func bodyError(err error) error {
	if f := ops.FaultOf(err); f.Status < http.StatusInternalServerError {
		return f
	}
	return &ops.Fault{Status: http.StatusRequestTimeout, Code: "body", Detail: "the body did not come whole, or not in time"}
}

func readObject(d *json.Decoder, fields map[string]any) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ops.BadRequest("the body is no JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, isText := t.(string)
		if err != nil || !isText {
			return ops.BadRequest("the body is no JSON object")
		}
		target, known := fields[name]
		switch {
		case !known:
			return ops.BadRequest("%.50q is not known here", name)
		case seen[name]:
			return ops.BadRequest("%s: it is given more than once", name)
		}
		seen[name] = true
		if err := readField(d, name, target); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return ops.BadRequest("the body is no whole JSON object")
	}
	return nil
}

func readField(d *json.Decoder, name string, target any) error {
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return ops.BadRequest("%s: it is no JSON", name)
	}
	switch target := target.(type) {
	case *string:
		var text *string
		if json.Unmarshal(raw, &text) != nil || !isText(text) {
			return ops.BadRequest("%s: it is not a text", name)
		}
		*target = *text
	case *[]string:
		var list []*string
		if json.Unmarshal(raw, &list) != nil || string(raw) == "null" {
			return ops.BadRequest("%s: it is not a list of texts", name)
		}
		for _, text := range list {
			if !isText(text) {
				return ops.BadRequest("%s: it is not a list of texts", name)
			}
			*target = append(*target, *text)
		}
	}
	return nil
}

// isText reports whether a string is a text: not null, without NUL, and without
// U+FFFD, which stands for what is no UTF-8 and for half a surrogate.
func isText(text *string) bool {
	return text != nil && !strings.ContainsRune(*text, 0) && !strings.ContainsRune(*text, utf8.RuneError)
}
