package recording

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
	readBlock    = 64 << 10 // bytes of the audit file that are read at once
	maxAuditRead = 16 << 20 // in one call of Read
	maxAuditLine = 64 << 10 // Add writes none that is longer

	defaultLines = 100
	maxLines     = 1000

	// disorder is how much later than a younger line an older one may say that it
	// was: what is done takes a while, and clocks are set.
	disorder = 24 * time.Hour
)

// AuditQuery says which lines are wanted. An empty list, text or time is any.
type AuditQuery struct {
	Who, What, Organisations []string // a line has one of each
	Brand                    string   // whose lines without an organisation are wanted besides those of Organisations
	Recording                string
	From, To                 time.Time // From is in, To is not
	Before                   int64     // an offset that Read returned; 0 is the file's end
	Limit                    int       // 0 is 100; at most 1000
}

// Read returns lines, the youngest first. Next, if it is not 0, is the Before with
// which older ones are looked for: a call looks through 16 MB of the file at most,
// and may have found nothing in them. Lines that are torn are left out.
func (a *Audit) Read(ctx context.Context, q AuditQuery) (lines []AuditLine, next int64, err error) {
	f, err := os.Open(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err == nil {
		defer f.Close()
		lines, next, err = q.read(ctx, f)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("recording: audit: read: %w", err)
	}
	return lines, next, nil
}

func (q AuditQuery) read(ctx context.Context, f *os.File) (lines []AuditLine, next int64, err error) {
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
	old, young := 0, 0 // lines that are far older than what is wanted, and others
	for from := back.end; from-back.end < maxAuditRead; {
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
	if old > 0 && young == 0 { // not one line whose clock was wrong, but 16 MB of them
		return lines, 0, nil
	}
	return lines, back.end, nil
}

// parse reads a line. One that does not mention what is asked for is not taken
// apart.
func (q AuditQuery) parse(text []byte) (l AuditLine, ok bool) {
	if !mentions(text, q.Who) || !mentions(text, q.What) || q.Recording != "" && !mentions(text, []string{q.Recording}) {
		return l, false
	}
	return l, json.Unmarshal(text, &l) == nil && l.What != ""
}

// mentions reports whether one of the words may be in a line of JSON.
func mentions(text []byte, words []string) bool {
	return len(words) == 0 || slices.ContainsFunc(words, func(word string) bool {
		return strings.Trim(word, lower+upper+digits+"-_. ") != "" || bytes.Contains(text, []byte(word)) // or it is written in another way
	})
}

func (q AuditQuery) wants(l AuditLine) bool {
	return isOf(q.Who, l.Who) && isOf(q.What, l.What) &&
		(isOf(q.Organisations, l.Organisation) || q.Brand != "" && l.Organisation == "" && l.Brand == q.Brand) &&
		(q.Recording == "" || q.Recording == l.Recording) &&
		(q.From.IsZero() || !l.At.Before(q.From)) && (q.To.IsZero() || l.At.Before(q.To))
}

func isOf(list []string, word string) bool { return len(list) == 0 || slices.Contains(list, word) }

// backward reads a file's lines, the last one first.
type backward struct {
	r   io.ReaderAt
	end int64  // where the part begins that was given out; what is before it is left
	buf []byte // of the file, up to end
}

// line is the next line, without its end, which stays as it is until the next
// call; io.EOF is the file's beginning. Of what has no end, or is too long to be a
// line, it is nil.
func (b *backward) line() ([]byte, error) {
	for {
		last := max(0, len(b.buf)-1) // the end of the line itself
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
		if len(b.buf) > maxAuditLine {
			b.end -= int64(len(b.buf))
			b.buf = nil
			return nil, nil
		}
		if err := b.more(); err != nil {
			return nil, err
		}
	}
}

// more reads the block before what is there.
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
