package recordings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"

	"tapedeck/internal/tidy"
)

// plainText returns a text for one cell of a table, without anything that a terminal would
// obey. An empty text becomes "-".
func plainText(text string) string {
	if text = tidy.Text(text, maxCell); text == "" {
		return "-"
	}
	return text
}

// maxCell is the longest text in a table, in bytes.
const maxCell = 100

// plainJSON returns the same JSON on one line, with everything escaped that a terminal would
// obey: JSON allows C1 controls and direction marks.
func plainJSON(text []byte) (string, error) {
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, r := range line.String() {
		switch {
		case !unicode.Is(unicode.C, r):
			b.WriteRune(r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String(), nil
}

// printJSON prints JSON as plainJSON returns it.
func printJSON(w io.Writer, text []byte) error {
	line, err := plainJSON(text)
	if err == nil {
		_, err = fmt.Fprintln(w, line)
	}
	return err
}
