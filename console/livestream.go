package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tapedeck/flow"
)

// beatEvery is how often a stream is looked after: whether its session lasts,
// and whether the policy is still the one by which it was filtered. It is also
// how often at least something is sent, so that proxies see that it lives.
const beatEvery = 5 * time.Second

var errTooManyViewers = &fault{http.StatusServiceUnavailable, "too_many", "too many are looking at the live calls already", 10 * time.Second}

// stream is the live calls as one visitor sees them, as Server-Sent Events:
//
//	event: calls   data: {"calls":[…]}   all of them: at the beginning, and whenever that is simpler
//	event: call    data: {…}             one that is new or has changed
//	event: gone    data: {"id":"…"}      one that has ended, or may not be seen any more
//	event: away    data: {}              what was sent is old until calls comes again
type stream struct {
	visit  *visit
	policy *flow.Policy // by which what was sent was filtered
	seen   int64        // serial of the picture that was sent; 0: none, all is to be sent
	away   bool
	shown  map[string]bool // ids of the calls that the visitor's page shows
	show   func(liveView) any
}

func (s *Server) getEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.follow(w, r, v, func(l liveView) any { return l })
}

// follow sends the live calls, as show says, until the visitor leaves, or has to.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, v *visit, show func(liveView) any) error {
	viewer, err := s.hub.join(v.account.Name)
	if err != nil {
		return err
	}
	defer s.hub.leave(viewer)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // for nginx
	control := http.NewResponseController(w)
	beat := time.NewTicker(s.hub.beat)
	defer beat.Stop()
	st := &stream{visit: v, shown: map[string]bool{}, show: show}
	text := []byte("retry: 2000\n\n")
	for {
		if _, err := w.Write(text); err != nil {
			return nil // the viewer has gone, or does not read: the guard gives it half a minute
		}
		if control.Flush() != nil {
			return nil
		}
		text = text[:0]
		select {
		case <-r.Context().Done():
			return nil
		case <-s.hub.closed:
			return nil
		case <-viewer.wake:
		case <-beat.C:
			if errors.Is(s.still(r.Context(), v), errNotKnown) {
				return nil
			}
			text = append(text, ":\n\n"...)
		}
		text = st.append(text, s.hub.picture(), s.cfg.Policy())
	}
}

// append adds what has changed since it was last called.
func (st *stream) append(text []byte, p *picture, policy *flow.Policy) []byte {
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

func (st *stream) appendAll(text []byte, p *picture, policy *flow.Policy) []byte {
	all := []any{}
	clear(st.shown)
	for i := range p.calls {
		if view, ok := p.calls[i].view.as(st.visit, policy); ok {
			all = append(all, st.show(view))
			st.shown[view.ID] = true
		}
	}
	return appendEvent(text, "calls", map[string]any{"calls": all})
}

func (st *stream) appendNew(text []byte, p *picture, policy *flow.Policy) []byte {
	there := make(map[string]bool, len(st.shown))
	for i := range p.calls {
		entry := &p.calls[i]
		if entry.changed <= st.seen {
			if st.shown[entry.view.ID] {
				there[entry.view.ID] = true
			}
			continue
		}
		if view, ok := entry.view.as(st.visit, policy); ok {
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

// appendEvent adds one event. JSON has no line ends, whatever callers call
// themselves.
func appendEvent(text []byte, name string, value any) []byte {
	data, err := json.Marshal(value)
	if err != nil || bytes.ContainsAny(data, "\r\n") {
		return text
	}
	return fmt.Appendf(text, "event: %s\ndata: %s\n\n", name, data)
}
