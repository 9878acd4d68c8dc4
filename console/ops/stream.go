package ops

import (
	"bytes"
	"encoding/json"
	"fmt"

	"tapedeck/flow"
)

// Stream is the live calls as one visitor sees them, as Server-Sent Events:
//
//	event: calls   data: {"calls":[…]}   all of them: at the beginning, and whenever that is simpler
//	event: call    data: {…}             one that is new or has changed
//	event: gone    data: {"id":"…"}      one that has ended, or may not be seen any more
//	event: away    data: {}              what was sent is old until calls comes again
type Stream struct {
	calls   *Calls
	viewer  *viewer
	visitor Visitor
	policy  *flow.Policy // by which the events so far were filtered
	seen    int64        // serial of the picture of the last events; 0: none
	away    bool
	shown   map[string]bool // ids of the calls that the visitor's page shows
	show    func(CallView) any
}

// Follow begins a stream of the live calls. show is what is sent of each call, as
// JSON. The caller closes the stream. The error is ErrTooMany.
func (c *Calls) Follow(v Visitor, show func(CallView) any) (*Stream, error) {
	viewer, err := c.hub.join(v.Account.Name)
	if err != nil {
		return nil, err
	}
	return &Stream{calls: c, viewer: viewer, visitor: v, shown: map[string]bool{}, show: show}, nil
}

// Close ends the stream.
func (st *Stream) Close() { st.calls.hub.leave(st.viewer) }

// Wake receives when Append has something to add.
func (st *Stream) Wake() <-chan struct{} { return st.viewer.wake }

// Ended is closed when there will be no more events.
func (st *Stream) Ended() <-chan struct{} { return st.calls.hub.closed }

// Append adds the events since it was last called, also those of a change of the
// policy.
func (st *Stream) Append(text []byte) []byte {
	return st.append(text, st.calls.hub.picture(), st.calls.policy())
}

// append adds what has changed between the last picture and p.
func (st *Stream) append(text []byte, p *picture, policy *flow.Policy) []byte {
	if p == nil || p.serial == st.seen && policy == st.policy {
		return text
	}
	defer func() { st.seen, st.policy, st.away = p.serial, policy, p.away }()
	switch {
	case p.away && st.away:
		return text
	case p.away:
		return appendEvent(text, "away", struct{}{})
	case st.seen == 0 || st.away || policy != st.policy:
		return st.appendAll(text, p, policy)
	}
	return st.appendNew(text, p, policy)
}

func (st *Stream) appendAll(text []byte, p *picture, policy *flow.Policy) []byte {
	all := []any{}
	clear(st.shown)
	for i := range p.calls {
		if view, ok := p.calls[i].view.as(st.visitor, policy); ok {
			all = append(all, st.show(view))
			st.shown[view.ID] = true
		}
	}
	return appendEvent(text, "calls", map[string]any{"calls": all})
}

func (st *Stream) appendNew(text []byte, p *picture, policy *flow.Policy) []byte {
	there := make(map[string]bool, len(st.shown))
	for i := range p.calls {
		entry := &p.calls[i]
		if entry.changed <= st.seen {
			if st.shown[entry.view.ID] {
				there[entry.view.ID] = true
			}
			continue
		}
		if view, ok := entry.view.as(st.visitor, policy); ok {
			there[view.ID] = true
			text = appendEvent(text, "call", st.show(view))
		}
	}
	for id := range st.shown {
		if !there[id] {
			text = appendEvent(text, "gone", struct {
				ID string `json:"id"`
			}{id})
		}
	}
	st.shown = there
	return text
}

// appendEvent adds one event. Its data is one line: JSON escapes line ends.
func appendEvent(text []byte, name string, value any) []byte {
	data, err := json.Marshal(value)
	if err != nil || bytes.ContainsAny(data, "\r\n") {
		return text
	}
	return fmt.Appendf(text, "event: %s\ndata: %s\n\n", name, data)
}
