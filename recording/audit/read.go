package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	readBlock = 64 << 10 // bytes of the file that are read at once
	maxRead   = 16 << 20 // bytes of the file that one call of Read looks through
	maxLine   = 64 << 10 // bytes; Add writes no longer line

	defaultLines = 100
	maxLines     = 1000

	// disorder is by how much the time of a line may be later than that of a line
	// after it: an action takes a while, and clocks are set.
	disorder = 24 * time.Hour
)

// Query says which lines are wanted. An empty list, text or time matches any line.
type Query struct {
	Who, What, Organisations []string // a line matches one of each
	Brand                    string   // its lines without an organisation are wanted besides those of Organisations
	Recording                string
	From, To                 time.Time // From is included, To is not
	Before                   int64     // an offset that Read returned; 0 is the end of the file
	Limit                    int       // 0 means 100; at most 1000
}

// Read returns lines, the youngest first. If next is not 0, it is the Before of the
// query that continues this one: a call looks through at most 16 MB of the file,
// and may find nothing in them. Torn lines are left out. A missing file has no
// lines.
func (l *Log) Read(ctx context.Context, q Query) (lines []Line, next int64, err error) {
	f, err := l.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err == nil {
		defer f.Close()
		lines, next, err = q.read(ctx, f)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("audit: read: %w", err)
	}
	return lines, next, nil
}

func (q Query) read(ctx context.Context, f *os.File) (lines []Line, next int64, err error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, err
	}
	if q.Limit <= 0 {
		q.Limit = defaultLines
	}
	q.Limit = min(q.Limit, maxLines)
	back := backward{r: f, end: size}
	if q.Before > 0 {
		back.end = min(size, q.Before)
	}
	old, young := 0, 0 // lines far older than what is wanted, and others
	for from := back.end; from-back.end < maxRead; {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		text, err := back.line()
		if err == io.EOF {
			return lines, 0, nil
		}
		if err != nil {
			return nil, 0, err
		}
		l, ok := q.parse(text)
		switch {
		case !ok:
			continue
		case l.At.Before(q.From.Add(-disorder)):
			old++
		default:
			young++
		}
		if !q.wants(l) {
			continue
		}
		l.Offset = back.end
		if lines = append(lines, l); len(lines) == q.Limit {
			return lines, back.end, nil
		}
	}
	if old > 0 && young == 0 { // 16 MB of older lines are no single wrong clock
		return lines, 0, nil
	}
	return lines, back.end, nil
}

// parse decodes a line, unless it does not even mention what is asked for.
func (q Query) parse(text []byte) (l Line, ok bool) {
	if !mentions(text, q.Who) || !mentions(text, q.What) || q.Recording != "" && !mentions(text, []string{q.Recording}) {
		return l, false
	}
	return l, json.Unmarshal(text, &l) == nil && l.What != ""
}

// unescaped are characters that JSON writes as they are.
const unescaped = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. "

// mentions reports whether one of the words may be in a line of JSON. A word with
// characters that JSON may escape always may be.
func mentions(text []byte, words []string) bool {
	return len(words) == 0 || slices.ContainsFunc(words, func(word string) bool {
		return strings.Trim(word, unescaped) != "" || bytes.Contains(text, []byte(word))
	})
}

func (q Query) wants(l Line) bool {
	return isIn(q.Who, l.Who) && isIn(q.What, l.What) &&
		(isIn(q.Organisations, l.Organisation) || q.Brand != "" && l.Organisation == "" && l.Brand == q.Brand) &&
		(q.Recording == "" || q.Recording == l.Recording) &&
		(q.From.IsZero() || !l.At.Before(q.From)) && (q.To.IsZero() || l.At.Before(q.To))
}

// isIn reports whether a list is empty or has a word.
func isIn(list []string, word string) bool { return len(list) == 0 || slices.Contains(list, word) }

// backward reads a file's lines, the last one first.
type backward struct {
	r   io.ReaderAt
	end int64  // the offset up to which the file is still to be returned
	buf []byte // the bytes of the file before end, as far as they were read
}

// line returns the next line without its end, which stays valid until the next
// call. It returns nil for a line that has no end or is too long, and io.EOF at
// the beginning of the file.
func (b *backward) line() ([]byte, error) {
	for {
		last := max(0, len(b.buf)-1) // without the line's own end
		if cut := bytes.LastIndexByte(b.buf[:last], '\n'); cut >= 0 || b.end == int64(len(b.buf)) && b.end > 0 {
			text, whole := bytes.CutSuffix(b.buf[cut+1:], []byte("\n"))
			b.end -= int64(len(b.buf) - cut - 1)
			b.buf = b.buf[:cut+1]
			if !whole {
				text = nil
			}
			return text, nil
		}
		if b.end == 0 {
			return nil, io.EOF
		}
		if len(b.buf) > maxLine {
			b.end -= int64(len(b.buf))
			b.buf = nil
			return nil, nil
		}
		if err := b.more(); err != nil {
			return nil, err
		}
	}
}

// more reads the block before those in buf.
func (b *backward) more() error {
	start := b.end - int64(len(b.buf))
	n := min(readBlock, start)
	block := make([]byte, n, n+int64(len(b.buf)))
	if _, err := b.r.ReadAt(block, start-n); err != nil {
		return err
	}
	b.buf = append(block, b.buf...)
	return nil
}
