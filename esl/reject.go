package esl

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Why a Server turned a connection away or cut it: the argument of
// Server.Rejected, and fit for a metric's label, for there are no others.
const (
	ReasonNotAllowed    = "peer_not_allowed"     // its address is not in Allow
	ReasonTooMany       = "too_many_connections" // there are MaxConns calls already
	ReasonEvicted       = "evicted"              // it had not given its channel's data when room was needed
	ReasonNoChannelData = "no_channel_data"      // it did not answer connect within ConnectTimeout
	ReasonClosedEarly   = "closed_early"         // it closed before it had answered connect
	ReasonNotAChannel   = "not_a_channel"        // its answer to connect names no channel, or one that cannot be
	ReasonBadProtocol   = "bad_protocol"         // what it sent was no event socket
	ReasonTooLarge      = "too_large"            // it sent more than Limits or MaxHeld allow
	ReasonStalled       = "stalled"              // it did not read what was written to it
	ReasonHandlerPanic  = "handler_panic"        // Handle panicked
)

// errNoChannel: whoever answered connect is no channel.
var errNoChannel = errors.New("not a channel")

// reasonBefore is the reason why a connection ended with err that did not
// become a call.
func reasonBefore(err error) string {
	switch reason := reasonOf(err); {
	case reason != "":
		return reason
	case errors.Is(err, errNoChannel):
		return ReasonNotAChannel
	case errors.Is(err, context.DeadlineExceeded):
		return ReasonNoChannelData
	}
	return ReasonClosedEarly
}

// reasonOf is the reason if a connection that ended with err was cut by us, ""
// if the peer, the handler or the network ended it.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errEvicted):
		return ReasonEvicted
	case errors.Is(err, ErrProtocol):
		return ReasonBadProtocol
	case errors.Is(err, ErrLimit), errors.Is(err, ErrOverflow), errors.Is(err, errHeld):
		return ReasonTooLarge
	case errors.Is(err, ErrStalled):
		return ReasonStalled
	}
	return ""
}

// maxChannelID is the longest UUID of a channel (switch_apr.h,
// SWITCH_UUID_FORMATTED_LENGTH).
const maxChannelID = 256

// channelID: a channel's id is FreeSWITCH's own UUID, or what origination_uuid
// or a SIP Call-ID gave. It becomes part of commands and of files' names.
func channelID(s string) (complaint string) {
	switch {
	case len(s) > maxChannelID:
		return "is too long"
	case s == "." || s == "..":
		return "is a directory"
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune("-_.:@+", rune(c)) {
			return "has a character that no channel's should have"
		}
	}
	return ""
}

// complaints log what may happen very often: of each kind one line in a while,
// with how many there were in between.
type complaints struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[string]*complaint
}

type complaint struct {
	told    time.Time
	omitted int
}

// complaintPause is how long after a line the next of its kind is omitted.
const complaintPause = 10 * time.Second

func (c *complaints) warn(message, kind string, attrs ...any) {
	c.mu.Lock()
	k := c.kinds[kind]
	if k == nil {
		k = &complaint{}
		if c.kinds == nil {
			c.kinds = map[string]*complaint{}
		}
		c.kinds[kind] = k
	}
	now := time.Now()
	if !k.told.IsZero() && now.Sub(k.told) < complaintPause {
		k.omitted++
		c.mu.Unlock()
		c.log.Debug(message, attrs...)
		return
	}
	omitted := k.omitted
	k.told, k.omitted = now, 0
	c.mu.Unlock()
	if omitted > 0 {
		attrs = append(attrs, "omitted", omitted)
	}
	c.log.Warn(message, attrs...)
}
