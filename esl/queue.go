package esl

// eventQueue holds events in order until they are taken. It is bounded by
// number and by bytes. Its owner locks.
type eventQueue struct {
	events []*Event
	first  int // index of the oldest
	bytes  int
}

func (q *eventQueue) len() int { return len(q.events) - q.first }

// push appends e, and reports false if that would exceed a limit. One event
// always fits.
func (q *eventQueue) push(e *Event, lim Limits) bool {
	if q.len() > 0 && (q.len() >= lim.Events || q.bytes+e.size() > lim.EventBytes) {
		return false
	}
	if len(q.events) == cap(q.events) && 2*q.first > len(q.events) {
		n := copy(q.events, q.events[q.first:])
		clear(q.events[n:])
		q.events, q.first = q.events[:n], 0
	}
	q.events = append(q.events, e)
	q.bytes += e.size()
	return true
}

// pop takes the oldest event, nil if there is none.
func (q *eventQueue) pop() *Event {
	if q.len() == 0 {
		return nil
	}
	e := q.events[q.first]
	q.events[q.first] = nil
	q.first++
	q.bytes -= e.size()
	if q.len() == 0 {
		q.events, q.first = q.events[:0], 0
	}
	return e
}
