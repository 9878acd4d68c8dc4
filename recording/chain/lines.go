package chain

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
)

// eachLine calls do for each line, without its end. Of a line that is longer than
// MaxLine it has the beginning alone, which no reader takes. Whole is false for a last
// line that has no end. Raw, which may be nil, gets all bytes.
func eachLine(r io.Reader, first int, raw func([]byte), do func(n int, text []byte, whole bool)) error {
	in := bufio.NewReaderSize(r, MaxLine)
	var line []byte
	for n := first; ; {
		part, err := in.ReadSlice('\n')
		if raw != nil {
			raw(part)
		}
		if len(line) <= MaxLine {
			line = append(line, part...)
		}
		switch err {
		case nil:
			do(n, bytes.TrimSuffix(line, []byte("\n")), true)
			n, line = n+1, line[:0]
		case bufio.ErrBufferFull:
		case io.EOF:
			if len(line) > 0 {
				do(n, line, false)
			}
			return nil
		default:
			return fmt.Errorf("chain: read: %w", err)
		}
	}
}

// lines is what was read of the audit log.
type lines struct {
	older  prefixes // what was there before logs began
	line   int      // how many lines there were
	offset int64    // of their end
}

// Lines reads the audit log.
func (v *Verifier) Lines(where string, r io.Reader) error {
	if v.lines == nil {
		v.lines = &lines{older: v.newPrefixes(where)}
	}
	at := v.lines
	return eachLine(r, at.line+1, at.older.add, func(n int, text []byte, whole bool) {
		at.line, at.offset = n, at.offset+int64(len(text))+1
		v.summary.Lines++
		v.line(Finding{Where: where, Line: n}, text, whole, at.offset <= at.older.longest+1)
	})
}

// line compares a line of the audit log with the entry that it names. At has where it
// stands. An older line was there before a log began.
func (v *Verifier) line(at Finding, text []byte, whole, older bool) {
	var names struct {
		Log string
		Seq int64
	}
	_ = json.Unmarshal(text, &names) // what is no JSON names no entry
	at.Seq = names.Seq
	l := v.logs[names.Log]
	switch {
	case names.Log == "" && (older || len(v.logs) == 0):
		return
	case v.isTorn(text):
		return
	case !whole:
		at.What, at.Detail, at.Note = Truncated, "the last line has no end: its writer was killed, or somebody cut it", true
	case names.Log == "":
		at.What, at.Detail = Inserted, "no log has it"
	case l == nil:
		v.strangers[names.Log]++
		return
	default:
		if at.What, at.Detail = l.compare(names.Seq, text); at.What == "" {
			return
		}
	}
	v.found(at)
}

// isTorn reports whether a log tells of a line that has no end.
func (v *Verifier) isTorn(text []byte) bool {
	torn := v.torn[SumOf(text)]
	if torn == nil || torn.found == torn.told {
		return false
	}
	torn.found++
	return true
}

// compare returns what is wrong with a line of the audit log that names an entry of
// the log; "" if nothing is.
func (l *log) compare(seq int64, text []byte) (what, detail string) {
	e, ok := l.lines[seq]
	switch {
	case !ok && l.order.isLost(seq):
		return "", "" // what became of the entry is reported
	case !ok:
		return Inserted, "the log has no such line"
	}
	again := e.seen
	e.seen = true
	l.lines[seq] = e
	switch {
	case e.sum != sha256.Sum256(text):
		return Flipped, "the log has another text"
	case again:
		return Inserted, "it stands there twice"
	}
	if seq < l.read {
		return Reordered, ""
	}
	l.read = seq
	return "", ""
}

// endLines reports the lines that the audit log does not have.
func (v *Verifier) endLines() {
	if v.lines != nil {
		v.lines.older.end(v)
	}
	for _, sum := range slices.Sorted(maps.Keys(v.torn)) {
		if v.torn[sum].found == 0 {
			v.found(Finding{Where: "audit log", What: Cut, Detail: "the line without an end whose SHA-256 is " + sum})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(v.logs)) {
		l := v.logs[id]
		for _, seq := range slices.Sorted(maps.Keys(l.lines)) {
			e := l.lines[seq]
			if e.seen || e.undone {
				continue
			}
			f := Finding{Where: l.name, Seq: seq, What: Cut, Detail: "the audit log does not have this line any more"}
			if seq == l.open {
				f.Detail, f.Note = "the audit log does not have this line yet: the next process that writes puts it there", true
			} else if seq > l.read {
				f.What = Truncated
			}
			v.found(f)
		}
	}
}

// prefixes are the beginnings of the audit log that were there when logs began.
type prefixes struct {
	where   string
	hash    hash.Hash
	size    int64
	wanted  []Entry // the first entries of logs, by size
	got     map[int64]string
	longest int64
}

func (v *Verifier) newPrefixes(where string) prefixes {
	p := prefixes{where: where, hash: sha256.New(), got: map[int64]string{}}
	for _, l := range v.logs {
		if l.begun.Size > 0 {
			p.wanted = append(p.wanted, l.begun)
			p.longest = max(p.longest, l.begun.Size)
		}
	}
	slices.SortFunc(p.wanted, func(a, b Entry) int { return cmp.Compare(a.Size, b.Size) })
	return p
}

func (p *prefixes) add(data []byte) {
	for _, e := range p.wanted {
		if rest := e.Size - p.size; rest > 0 && rest <= int64(len(data)) {
			p.hash.Write(data[:rest])
			p.size, data = e.Size, data[rest:]
			p.got[e.Size] = hex.EncodeToString(p.hash.Sum(nil))
		}
	}
	p.hash.Write(data)
	p.size += int64(len(data))
}

func (p *prefixes) end(v *Verifier) {
	for _, e := range p.wanted {
		switch sum, ok := p.got[e.Size]; {
		case !ok:
			v.found(Finding{Where: p.where, What: Truncated, Detail: fmt.Sprintf("it had %d bytes when the log %s began", e.Size, e.Log)})
		case sum != e.Sum:
			v.found(Finding{Where: p.where, What: Replaced, Detail: fmt.Sprintf("the first %d bytes are not those from before the log %s began", e.Size, e.Log)})
		}
	}
}
