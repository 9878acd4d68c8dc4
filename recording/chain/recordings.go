package chain

import (
	"cmp"
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
		f.What, f.Detail, f.Note = s.compare(r.Sum, v.isOpen(s))
		s.seen = s.seen || f.What == "" || f.Note
	}
	return f
}

// isOpen reports whether what the entry about a recording tells of may not be done yet.
func (v *Verifier) isOpen(s *recordingState) bool { return v.file(s.log).open == s.seq }

// compare returns what is wrong with a sidecar of this hash; "" if nothing is. Open
// says whether it may not be written yet.
func (s *recordingState) compare(sum string, open bool) (what, detail string, note bool) {
	switch {
	case s.mayGo && (s.file == "" || sum == s.sum):
		return Inserted, "it is there, although the log says that it was deleted: the deletion was interrupted, or somebody put it back", true
	case sum == s.sum:
		return "", "", false
	case open && sum == s.was:
		return Undone, "not changed yet: the process was killed", true
	case sum == s.was:
		return Replaced, "it is the sidecar that was there before", false
	case s.mayGo || s.sum == "":
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
		if s.seen || s.mayGo || s.sum == "" || sum(s.file) == s.sum {
			continue
		}
		f := Finding{Where: s.file, Seq: s.seq, What: Cut, Detail: "the sidecar is gone, and no entry says that it was deleted"}
		if s.was == "" && v.isOpen(s) && live(key.id) {
			f.Detail, f.Note = "not written yet: the process was killed, and the next one goes on", true
		}
		v.found(f)
	}
}
