package esl

// eventQueue holds events in order until they are taken. Its number of events and
// its bytes are limited. The owner locks it.
type eventQueue struct {
	events []*Event
	first  int // index of the oldest
	bytes  int
}

func (q *eventQueue) len() int { return len(q.events) - q.first }

// push appends e. It reports false if that would exceed a limit; into an empty
// queue any event fits.
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
