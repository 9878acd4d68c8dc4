package chain

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
)

// What a Verifier finds: Finding.What.
const (
	Flipped    = "flipped"     // a line is not as it was written
	Cut        = "cut"         // something in the middle is gone
	Inserted   = "inserted"    // something is there that the log does not have
	Reordered  = "reordered"   // lines have changed places
	Truncated  = "truncated"   // the end is gone
	Replaced   = "replaced"    // something was written anew
	MissingLog = "log missing" // another file names a log that was not read
	Unsigned   = "unsigned"    // a checkpoint that should be signed is not
	Damage     = "damaged"     // a process that wrote to the log found it damaged
)

// Finding is one thing that a Verifier found. A note is not wrong: the log itself
// explains it.
type Finding struct {
	Where  string // the file
	Line   int    // from 1; 0: none
	Seq    int64  // of the entry; 0: none
	What   string
	Detail string
	Note   bool
}

// String returns the finding in one line.
func (f Finding) String() string {
	text := f.Where
	if f.Line > 0 {
		text += fmt.Sprintf(": line %d", f.Line)
	}
	if f.Seq > 0 {
		text += fmt.Sprintf(": entry %d", f.Seq)
	}
	text += ": " + f.What
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	return text
}

// Summary is what a Verifier has looked at.
type Summary struct {
	Logs, Entries, Lines, Sidecars int
	Older                          int // sidecars from before the first log began, of which no log tells
	Findings, Notes                int
	Checkpoint                     Entry // the youngest whose signature is right; its Seq is 0 if there is none
	Since                          int   // entries that come in their log after the last checkpoint whose signature is right
}

// Verifier compares evidence logs with the copies of their checkpoints, with the audit
// log and with the sidecars. Call Checkpoints, Log, Lines and Recording in this order,
// as often as there is something to read. More of a log, and then more of the audit
// log, may follow: a second call for the same file goes on where the first one ended.
// End reports what is left. A Verifier keeps some 200 bytes for each line of the audit log
// and each recording (BenchmarkVerifierMemory).
type Verifier struct {
	keys  []ed25519.PublicKey
	found func(Finding)

	files      []*log          // as they were read
	logs       map[string]*log // those that have begun, by id
	begun      Entry           // the first entry of the log that began first
	copies     []*checkpointCopy
	places     map[place][]*checkpointCopy // the same by their place in a log
	lines      *lines
	recordings map[recordingKey]*recordingState
	doubtful   []Recording          // not what the logs say, as far as they were read then
	torn       map[string]*tornLine // lines of the audit log without an end, by SHA-256
	strangers  map[string]int       // lines of the audit log by the unknown log that they name
	summary    Summary
}

// lineState is what a log says of one line of the audit log.
type lineState struct {
	sum          digest
	seen, undone bool
}

// tornLine is a line of the audit log that has no end. A process that is killed while
// it tells of it has the next one tell of it again.
type tornLine struct{ told, found int }

// log is one evidence log that was read.
type log struct {
	name    string
	begun   Entry
	last    Entry
	open    int64 // the seq of the last entry that is not about another one: what it tells of may not be done yet
	lines   map[int64]lineState
	read    int64 // the seq of its line that was found last in the audit log
	signed  Entry // the last checkpoint whose signature is right
	early   int   // checkpoints before the first signed one
	entries int
	order   *sequence
}

// place is that of an entry in a log.
type place struct {
	log string
	seq int64
}

// checkpointCopy is a checkpoint that was copied elsewhere.
type checkpointCopy struct {
	Entry
	where string
	line  int
	found bool
	other bool // another entry has its place
}

// NewVerifier returns a Verifier that calls found for each finding. Without keys,
// signatures are not looked at.
func NewVerifier(keys []ed25519.PublicKey, found func(Finding)) *Verifier {
	v := &Verifier{keys: keys, logs: map[string]*log{}, recordings: map[recordingKey]*recordingState{}, places: map[place][]*checkpointCopy{},
		torn: map[string]*tornLine{}, strangers: map[string]int{}}
	v.found = func(f Finding) {
		if f.Note {
			v.summary.Notes++
		} else {
			v.summary.Findings++
		}
		found(f)
	}
	return v
}

// Checkpoints reads copies of checkpoints, one a line.
func (v *Verifier) Checkpoints(where string, r io.Reader) error {
	return eachLine(r, 1, nil, func(n int, text []byte, _ bool) {
		e, err := Decode(text)
		switch {
		case err != nil && !bytes.HasSuffix(text, []byte(hashEnd)):
			v.found(Finding{Where: where, Line: n, What: Truncated, Note: true, Detail: "the line has no end: its writer was killed, or the disk was full"})
			return
		case err != nil:
			v.found(Finding{Where: where, Line: n, What: Flipped})
			return
		case e.Kind != Checkpoint:
			v.found(Finding{Where: where, Line: n, Seq: e.Seq, What: Inserted, Detail: "it is no checkpoint"})
			return
		}
		if err := e.verify(v.keys); len(v.keys) > 0 && err != nil && err != errUnsigned {
			v.found(Finding{Where: where, Line: n, Seq: e.Seq, What: Replaced, Detail: err.Error()})
		}
		c, at := &checkpointCopy{Entry: e, where: where, line: n}, place{e.Log, e.Seq}
		v.copies, v.places[at] = append(v.copies, c), append(v.places[at], c)
	})
}

// Log reads an evidence log.
func (v *Verifier) Log(where string, r io.Reader) error {
	l := v.file(where)
	return eachLine(r, l.order.line+1, nil, func(n int, text []byte, whole bool) {
		e, ok := l.order.take(n, text, whole)
		if !ok {
			return
		}
		v.summary.Entries++
		if l.entries++; l.entries == 1 {
			v.begin(l, e)
		}
		v.compareCopies(l, e)
		v.take(l, n, e)
		if e.Seq >= l.last.Seq {
			l.last = e
		}
		if e.Kind != Undone && e.Kind != Recovered && e.Kind != Damaged {
			l.open = e.Seq
		}
	})
}

// file returns what was read of a file.
func (v *Verifier) file(where string) *log {
	for _, l := range v.files {
		if l.name == where {
			return l
		}
	}
	l := &log{name: where, lines: map[int64]lineState{}, order: &sequence{where: where, found: v.found, next: 1, known: true}}
	v.files = append(v.files, l)
	return l
}

// begin takes the first entry that was read of a file.
func (v *Verifier) begin(l *log, e Entry) {
	f := Finding{Where: l.name, Seq: e.Seq, What: Cut, Detail: "it does not begin with the entry that begins a log"}
	switch other := v.logs[e.Log]; {
	case e.Kind != Begun || e.Seq != 1 || e.Log == "":
	case other != nil:
		f.What, f.Detail = Inserted, "it is the same log as "+other.name
	default:
		v.logs[e.Log], l.begun = l, e
		v.summary.Logs++
		if v.begun.At.IsZero() || e.At.Before(v.begun.At) {
			v.begun = e
		}
		return
	}
	v.found(f)
}

// compareCopies compares an entry with the copy of a checkpoint that has its place.
func (v *Verifier) compareCopies(l *log, e Entry) {
	for _, c := range v.places[place{l.begun.Log, e.Seq}] {
		c.found = c.found || c.Hash == e.Hash
		c.other = c.other || c.Hash != e.Hash
	}
}

// take notes what an entry says.
func (v *Verifier) take(l *log, n int, e Entry) {
	switch e.Kind {
	case Line:
		v.takeLine(l, e)
	case Sidecar:
		v.set(l, e)
	case Removed:
		v.mayGo(l, e)
	case Undone:
		v.takeUndone(l, e)
		v.found(Finding{Where: l.name, Line: n, Seq: e.Seq, What: Undone, Detail: fmt.Sprintf("entry %d: %s", e.Of, e.Why), Note: true})
	case Recovered:
		if e.Torn != "" {
			if v.torn[e.Torn] == nil {
				v.torn[e.Torn] = new(tornLine)
			}
			v.torn[e.Torn].told++
		}
		v.found(Finding{Where: l.name, Line: n, Seq: e.Seq, What: Recovered, Detail: e.Why, Note: true})
	case Damaged:
		v.found(Finding{Where: l.name, Line: n, Seq: e.Seq, What: Damage, Detail: e.Why})
	case Checkpoint:
		v.takeCheckpoint(l, n, e)
	}
}

func (v *Verifier) takeLine(l *log, e Entry) {
	l.lines[e.Seq] = lineState{sum: sha256.Sum256(e.Line)}
	if e.Recording != "" {
		v.mayGo(l, e)
	}
}

// takeUndone takes back what an earlier entry of the log says.
func (v *Verifier) takeUndone(l *log, e Entry) {
	if line, ok := l.lines[e.Of]; ok {
		line.undone = true
		l.lines[e.Of] = line
	}
	s := v.recordings[recordingKey{e.Organisation, e.Recording}]
	if s == nil || s.log != l || s.seq != e.Of {
		return
	}
	if s.gone == l {
		s.gone = nil
	} else {
		s.sum, s.was = s.was, digest{}
	}
}

func (v *Verifier) takeCheckpoint(l *log, n int, e Entry) {
	if e.Log != l.begun.Log {
		v.found(Finding{Where: l.name, Line: n, Seq: e.Seq, What: Inserted, Detail: "it is a checkpoint of another log"})
		return
	}
	if len(v.keys) == 0 {
		return
	}
	switch err := e.verify(v.keys); {
	case err == nil:
		l.signed = e
	case err == errUnsigned && l.signed.Seq == 0:
		l.early++ // there was no key yet
	case err == errUnsigned:
		v.found(Finding{Where: l.name, Line: n, Seq: e.Seq, What: Unsigned, Detail: "those before are signed"})
	default:
		v.found(Finding{Where: l.name, Line: n, Seq: e.Seq, What: Replaced, Detail: err.Error()})
	}
}

// End reports what is missing or not what the logs say, and returns what was looked at.
// Sum returns the SHA-256 of a sidecar, by its path below the recordings folder, "" if
// there is none: those that were not as they should be are looked at again. Live says
// whether a recording, by its id, is not over.
func (v *Verifier) End(sum func(file string) string, live func(id string) bool) Summary {
	for _, l := range v.files {
		l.order.end()
		if len(v.keys) > 0 && l.signed.Seq == 0 && l.entries > 0 {
			v.found(Finding{Where: l.name, What: Unsigned, Detail: "no checkpoint in it is signed with a key that was named"})
		} else if l.early > 0 {
			v.found(Finding{Where: l.name, What: Unsigned, Detail: fmt.Sprintf("checkpoints from before there was a key: %d", l.early), Note: true})
		}
	}
	v.endCopies()
	v.endLines()
	v.endRecordings(sum, live)
	for _, id := range slices.Sorted(maps.Keys(v.strangers)) {
		v.found(Finding{Where: id, What: MissingLog, Detail: fmt.Sprintf("lines of the audit log that name this log, which is not here: %d", v.strangers[id])})
	}
	for _, l := range v.logs {
		v.summary.Since += int(l.last.Seq - l.signed.Seq)
		if l.signed.At.After(v.summary.Checkpoint.At) {
			v.summary.Checkpoint = l.signed
		}
	}
	return v.summary
}

func (v *Verifier) endCopies() {
	for _, c := range v.copies {
		if c.found {
			continue
		}
		f := Finding{Where: c.where, Line: c.line, Seq: c.Seq, What: Cut, Detail: "the log does not have this checkpoint"}
		switch l := v.logs[c.Log]; {
		case l == nil:
			f.What, f.Detail = MissingLog, fmt.Sprintf("it is a checkpoint of the log %.40s, which is not here", c.Log)
		case c.other:
			f.Where, f.Line, f.What, f.Detail = l.name, 0, Replaced, "it is not the checkpoint that was copied to "+c.where
		case l.last.Seq < c.Seq:
			f.Where, f.Line, f.What, f.Detail = l.name, 0, Truncated, fmt.Sprintf("the log ends at entry %d, and %s has this checkpoint", l.last.Seq, c.where)
		}
		v.found(f)
	}
}
