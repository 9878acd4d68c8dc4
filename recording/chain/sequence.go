package chain

import "fmt"

// sequence checks the lines of one log: that each is as it was written, and that each
// is the next one.
type sequence struct {
	where   string
	found   func(Finding)
	line    int   // how many lines there were
	next    int64 // the seq that comes next
	hash    string
	known   bool  // hash is that of the entry before
	broken  []int // the last lines, which are no entries
	taken   seqs  // of entries that were read
	flipped seqs  // of entries that were in broken lines
}

// take takes the next line. It returns its entry, unless the line is not one.
func (s *sequence) take(n int, text []byte, whole bool) (Entry, bool) {
	s.line = n
	e, err := Decode(text)
	switch {
	case !whole: // even if only its end is missing
		s.found(Finding{Where: s.where, Line: n, What: Truncated, Note: true,
			Detail: "the last line has no end: its writer was killed, or somebody cut it; the next start says so in the log"})
		return Entry{}, false
	case err != nil:
		s.broken, s.known = append(s.broken, n), false
		return Entry{}, false
	case e.Seq < s.next:
		s.early(n, e)
		s.known = false
		return e, true
	case len(s.broken) > 0:
		s.resume(e.Seq)
	case e.Seq == s.next && s.known && e.Prev != s.hash:
		s.found(Finding{Where: s.where, Line: n, Seq: e.Seq, What: Replaced, Detail: "it does not follow the entry before: one of the two was written anew"})
	}
	s.taken.add(e.Seq)
	s.next, s.hash, s.known = e.Seq+1, e.Hash, true
	return e, true
}

// resume reports the broken lines before an entry: as many as there are entries between
// are flipped, what is more was inserted.
func (s *sequence) resume(seq int64) {
	for _, n := range s.broken {
		f := Finding{Where: s.where, Line: n, Seq: s.next, What: Flipped}
		if s.next == seq {
			f.Seq, f.What, f.Detail = 0, Inserted, "it is no entry"
		} else {
			s.flipped.add(s.next)
			s.next++
		}
		s.found(f)
	}
	s.broken = nil
}

// early takes an entry that stands behind a later one.
func (s *sequence) early(n int, e Entry) {
	f := Finding{Where: s.where, Line: n, Seq: e.Seq, What: Reordered}
	if e.Seq < 1 || s.taken.has(e.Seq) || s.flipped.has(e.Seq) {
		f.What, f.Detail = Inserted, "there is an entry of this number already"
	}
	s.taken.add(e.Seq)
	s.found(f)
}

// isLost reports whether an entry is known to be cut or flipped.
func (s *sequence) isLost(seq int64) bool {
	return seq >= 1 && seq < s.next+int64(len(s.broken)) && !s.taken.has(seq)
}

// end reports the entries that did not come.
func (s *sequence) end() {
	s.resume(s.next + int64(len(s.broken)))
	for g := range gaps(s.next, s.taken, s.flipped) {
		f := Finding{Where: s.where, Seq: g.from, What: Cut}
		if g.to > g.from {
			f.Detail = fmt.Sprintf("up to entry %d", g.to)
		}
		s.found(f)
	}
}
