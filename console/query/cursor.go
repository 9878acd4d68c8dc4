package query

import (
	"cmp"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"tapedeck/recording"
	"tapedeck/store/index"
)

// CursorText is a place in the list as an address has it: opaque to others.
func CursorText(c index.Cursor) string {
	if c == (index.Cursor{}) {
		return ""
	}
	text := strconv.FormatInt(c.Started.UnixMilli(), 10) + "/" + c.Organisation + "/" + c.ID
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// Cursor returns a place in the list that CursorText wrote.
func (f *Form) Cursor(name string) index.Cursor {
	text := f.Text(name)
	if text == "" {
		return index.Cursor{}
	}
	c, ok := parseCursor(text)
	if !ok {
		f.refuse("%s: use one that came with a list, as it is", name)
	}
	return c
}

func parseCursor(text string) (index.Cursor, bool) {
	plain, err := base64.RawURLEncoding.DecodeString(text)
	words := strings.Split(string(plain), "/")
	if err != nil || len(words) != 3 {
		return index.Cursor{}, false
	}
	ms, err := strconv.ParseInt(words[0], 10, 64)
	_, _, bad := recording.ParseID(words[2])
	t := time.UnixMilli(ms).UTC()
	return index.Cursor{Started: t, ID: words[2], Organisation: words[1]}, cmp.Or(err, bad) == nil && sane(t)
}
