package sound

import (
	"encoding/binary"
	"time"
	"unicode/utf16"
)

// Tags describe an MP3 in its ID3v2.3 tag. Empty ones are left out. Texts are one
// line of valid UTF-8; the year of Date is 1 to 9999.
type Tags struct {
	Title   string
	Date    time.Time
	Album   string
	Comment string
}

// id3 returns the tag, with which the file begins (id3.org/id3v2.3.0).
func (t Tags) id3() []byte {
	var frames []byte
	frames = appendID3Frame(frames, "TIT2", nil, t.Title)
	frames = appendID3Frame(frames, "TALB", nil, t.Album)
	if at := t.Date.UTC(); !at.IsZero() {
		frames = appendID3Frame(frames, "TYER", nil, at.Format("2006"))
		frames = appendID3Frame(frames, "TDAT", nil, at.Format("0201"))
		frames = appendID3Frame(frames, "TIME", nil, at.Format("1504"))
	}
	frames = appendID3Frame(frames, "COMM", []byte("eng"), t.Comment)
	n := len(frames)
	head := []byte{'I', 'D', '3', 3, 0, 0, byte(n >> 21 & 0x7f), byte(n >> 14 & 0x7f), byte(n >> 7 & 0x7f), byte(n & 0x7f)}
	return append(head, frames...)
}

// appendID3Frame appends a frame, unless its text is empty. A comment has a
// language, and a description, which stays empty.
func appendID3Frame(tag []byte, name string, language []byte, text string) []byte {
	if text == "" {
		return tag
	}
	encoding, end, encode := byte(0), []byte{0}, func(s string) []byte { return []byte(s) }
	if !isASCII(text) {
		encoding, end, encode = 1, []byte{0xff, 0xfe, 0, 0}, utf16LE
	}
	body := []byte{encoding}
	if language != nil {
		body = append(append(body, language...), end...)
	}
	body = append(body, encode(text)...)
	tag = append(tag, name...)
	tag = binary.BigEndian.AppendUint32(tag, uint32(len(body)))
	return append(append(tag, 0, 0), body...)
}

func isASCII(text string) bool {
	for _, b := range []byte(text) {
		if b >= 0x80 {
			return false
		}
	}
	return true
}

// utf16LE returns a text in UTF-16, with its byte order mark.
func utf16LE(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}
