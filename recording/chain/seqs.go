package chain

import (
	"iter"
	"maps"
	"math/bits"
	"slices"
)

// seqs is a set of numbers of entries: 64 of them in each word, so that a long log needs
// little memory, and one whose entries are in any disorder no more time.
type seqs map[int64]uint64

const wordBits = 6 // of a number say which bit of a word it is

func (s *seqs) add(seq int64) {
	if *s == nil {
		*s = seqs{}
	}
	(*s)[seq>>wordBits] |= 1 << (seq & (1<<wordBits - 1))
}

func (s seqs) has(seq int64) bool { return s[seq>>wordBits]&(1<<(seq&(1<<wordBits-1))) != 0 }

// gap is a stretch of entries, both ends included.
type gap struct{ from, to int64 }

// gaps returns the stretches from 1 up to the number before end that neither set has.
func gaps(end int64, a, b seqs) iter.Seq[gap] {
	words := map[int64]bool{}
	for _, set := range []seqs{a, b} {
		for word := range set {
			words[word] = true
		}
	}
	return func(yield func(gap) bool) {
		next := int64(1) // the first number of which nothing is known yet
		for _, word := range slices.Sorted(maps.Keys(words)) {
			for set := a[word] | b[word]; set != 0; set &= set - 1 {
				seq := word<<wordBits + int64(bits.TrailingZeros64(set))
				if next < seq && !yield(gap{next, seq - 1}) {
					return
				}
				next = max(next, seq+1)
			}
		}
		if next < end {
			yield(gap{next, end - 1})
		}
	}
}
