package index

func placeAt(c Cursor) place { return place{placeOf(c.Started, c.ID), c.Organisation} }

// place is a Cursor in the form that the index has; see placeOf.
type place struct{ at, organisation string }

// first comes before all places.
var first = place{at: "\xff"}

func (p place) before(q place) bool {
	if p.at != q.at {
		return p.at > q.at
	}
	return p.organisation > q.organisation
}

// cursor is the Cursor of a place. It is zero for a place that no recording can
// have.
func (p place) cursor() Cursor {
	started, id, ok := readPlace(p.at)
	if !ok {
		return Cursor{}
	}
	return Cursor{Started: started, ID: id, Organisation: p.organisation}
}
