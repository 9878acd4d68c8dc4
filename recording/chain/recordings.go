package chain

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path"
	"slices"
	"time"
)

// Recording is a sidecar as it lies on the disk.
type Recording struct {
	Organisation, ID string
	Day              time.Time // of its folder
	File             string    // its path below the recordings folder
	Sum              string    // SHA-256 of the sidecar
}

type recordingKey struct{ organisation, id string }

// recordingState is what the logs say of one recording.
type recordingState struct {
	file     string // "": no log says where it is
	sum, was digest
	at       int64 // in milliseconds
	log      *log
	seq      int64
	gone     *log // says that it is deleted
	seen     bool // its sidecar is as it should be
}

// digest is a SHA-256; that of no file is zero.
type digest [sha256.Size]byte

// digestOf reads a SHA-256 in hexadecimal. A text that is none is the digest of no file
// that anybody has.
func digestOf(text string) (d digest) {
	if text == "" || len(text) == hex.EncodedLen(len(d)) {
		if _, err := hex.Decode(d[:], []byte(text)); err == nil {
			return d
		}
	}
	return sha256.Sum256([]byte(text))
}

// set notes which sidecar a recording has, unless another log says that this was before.
// What another log says of its deletion stays: clocks of hosts differ, and a recording
// that is gone does not come again.
func (v *Verifier) set(l *log, e Entry) {
	key := recordingKey{e.Organisation, e.Recording}
	s := recordingState{file: e.File, sum: digestOf(e.Sidecar), was: digestOf(e.Was), at: e.At.UnixMilli(), log: l, seq: e.Seq}
	if old := v.recordings[key]; old != nil {
		if old.log != l && old.isAfter(&s) {
			return
		}
		if old.gone != l {
			s.gone = old.gone
		}
	}
	v.recordings[key] = &s
}

// isAfter reports whether what one log says of a recording was written after what another
// log says. What the one replaced tells more than the time.
func (s *recordingState) isAfter(other *recordingState) bool {
	after, before := s.was == other.sum && s.sum != digest{}, other.was == s.sum
	if after != before {
		return after
	}
	return s.at > other.at
}

// mayGo notes that a recording is deleted.
func (v *Verifier) mayGo(l *log, e Entry) {
	key := recordingKey{e.Organisation, e.Recording}
	s := v.recordings[key]
	if s == nil {
		s = &recordingState{}
		v.recordings[key] = s
	}
	s.gone, s.at, s.log, s.seq = l, e.At.UnixMilli(), l, e.Seq
}

// Recording compares a sidecar with the logs.
func (v *Verifier) Recording(r Recording) {
	v.summary.Sidecars++
	if f := v.judge(r); f.What != "" && !f.Note {
		v.doubtful = append(v.doubtful, r) // it may have been written since the logs were read
	} else if f.What != "" {
		v.found(f)
	}
}

// judge returns what is wrong with a sidecar; nothing if its What is "".
func (v *Verifier) judge(r Recording) Finding {
	s := v.recordings[recordingKey{r.Organisation, r.ID}]
	f := Finding{Where: r.File, What: Inserted}
	switch {
	case len(v.logs) == 0:
		return Finding{}
	case s == nil && v.begun.Older && !r.Day.After(v.begun.At):
		v.summary.Older++
		return Finding{}
	case s == nil:
		f.Detail = "no log has this recording"
	case s.file != "" && s.file != r.File:
		f.Seq, f.Detail = s.seq, "the log has it in "+path.Dir(s.file)
	default:
		f.Seq = s.seq
		f.What, f.Detail, f.Note = s.compare(digestOf(r.Sum), s.isOpen())
		s.seen = s.seen || f.What == "" || f.Note
	}
	return f
}

// isOpen reports whether what the entry about a recording tells of may not be done yet.
func (s *recordingState) isOpen() bool { return s.log.open == s.seq }

// compare returns what is wrong with a sidecar of this hash; "" if nothing is. Open
// says whether it may not be written yet.
func (s *recordingState) compare(sum digest, open bool) (what, detail string, note bool) {
	switch {
	case s.gone != nil && (s.file == "" || sum == s.sum):
		return Inserted, "it is there, although the log says that it was deleted: the deletion was interrupted, or somebody put it back", true
	case sum == s.sum:
		return "", "", false
	case open && sum == s.was:
		return Undone, "not changed yet: the process was killed", true
	case sum == s.was:
		return Replaced, "it is the sidecar that was there before", false
	case s.gone != nil || s.sum == digest{}:
		return Inserted, "the log does not have this sidecar", false
	}
	return Replaced, "the sidecar is not the one that was written", false
}

func (v *Verifier) endRecordings(sum func(string) string, live func(string) bool) {
	for _, r := range v.doubtful {
		if r.Sum = sum(r.File); r.Sum == "" {
			continue // it is gone: if it should be there, its state is not seen
		}
		if f := v.judge(r); f.What != "" {
			v.found(f)
		}
		if s := v.recordings[recordingKey{r.Organisation, r.ID}]; s != nil && s.file == r.File {
			s.seen = true // and reported
		}
	}
	keys := slices.SortedFunc(maps.Keys(v.recordings), func(a, b recordingKey) int {
		return cmp.Or(cmp.Compare(a.organisation, b.organisation), cmp.Compare(a.id, b.id))
	})
	for _, key := range keys {
		s := v.recordings[key]
		if s.seen || s.gone != nil || s.sum == (digest{}) || digestOf(sum(s.file)) == s.sum {
			continue
		}
		f := Finding{Where: s.file, Seq: s.seq, What: Cut, Detail: "the sidecar is gone, and no entry says that it was deleted"}
		if s.was == (digest{}) && s.isOpen() && live(key.id) {
			f.Detail, f.Note = "not written yet: the process was killed, and the next one goes on", true
		}
		v.found(f)
	}
}
