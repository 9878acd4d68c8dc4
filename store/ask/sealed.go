package ask

import (
	"bytes"
	"errors"
	"strconv"
	"sync"
	"time"

	"tapedeck/internal/recent"
	"tapedeck/store"
)

const (
	// clockSkew is how far the clocks of two instances may be apart.
	clockSkew = time.Minute
	// maxObeyed is how many requests an instance remembers: many more than people can
	// make while a request lasts.
	maxObeyed = 100_000
)

// errRefused: a request is not believed, or not any more. It has been counted and logged.
var errRefused = errors.New("the request is not believed")

// seals authenticate requests and answers, if there is a key. The seal of a request
// covers its nonce, who asks, who is asked, and when it ends; that of an answer covers
// the nonce of its request. Each request counts once.
type seals struct {
	request, answer *store.Seal

	mu     sync.Mutex
	obeyed recent.Map[string, struct{}] // nonces, until their requests have ended by every clock
}

func newSeals(conn *store.Conn) seals {
	return seals{request: conn.NewSeal("ask"), answer: conn.NewSeal("answer"),
		obeyed: recent.Map[string, struct{}]{Limit: maxObeyed, Keep: askAtMost + 2*clockSkew}}
}

// sealRequest is a request as it is put into Redis.
func (s *seals) sealRequest(request []byte, nonce, from, to string, end time.Time) []byte {
	if !s.request.Seals() {
		return request
	}
	text := append(strconv.AppendInt(nil, end.UnixMilli(), 10), ' ')
	return s.request.Text(append(text, request...), requestKey(nonce), from, to)
}

// openRequest returns the request that sealRequest was given, once.
func (s *seals) openRequest(sealed []byte, nonce, from, to string, now time.Time) ([]byte, error) {
	if !s.request.Seals() {
		return sealed, nil
	}
	text, err := s.request.OpenText(sealed, requestKey(nonce), from, to)
	if err != nil {
		return nil, err
	}
	ms, request, _ := bytes.Cut(text, []byte(" "))
	end, err := strconv.ParseInt(string(ms), 10, 64)
	if err != nil {
		return nil, err
	}
	if left := time.UnixMilli(end).Sub(now); left < -clockSkew || left > askAtMost+clockSkew {
		s.request.Refuse("it is over, or the clocks of two instances are more than a minute apart", requestKey(nonce))
		return nil, errRefused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.obeyed.Get(nonce); again {
		s.request.Refuse("it was there before", requestKey(nonce))
		return nil, errRefused
	}
	s.obeyed.Put(nonce, struct{}{})
	return request, nil
}

// sealAnswer is the message that answers a request.
func (s *seals) sealAnswer(kind, nonce string, answer []byte) string {
	return kind + " " + nonce + " " + string(s.answer.Text(answer, requestKey(nonce), kind))
}

// openAnswer returns the answer in a message.
func (s *seals) openAnswer(kind, nonce, sealed string) (answer string, err error) {
	text, err := s.answer.OpenText([]byte(sealed), requestKey(nonce), kind)
	return string(text), err
}
