package esl

import (
	"context"
	"errors"
)

// Why a Server turned a connection away or cut it: the argument of
// Server.Rejected. There are no others, so they can be labels of a metric.
const (
	ReasonNotAllowed    = "peer_not_allowed"     // its address is not in Allow
	ReasonTooMany       = "too_many_connections" // there are MaxConns calls already
	ReasonEvicted       = "evicted"              // it had not sent its channel's data when room was needed
	ReasonNoChannelData = "no_channel_data"      // it did not answer connect within ConnectTimeout
	ReasonClosedEarly   = "closed_early"         // it closed before it had answered connect
	ReasonNotAChannel   = "not_a_channel"        // its answer to connect has no channel id, or one that is not allowed
	ReasonBadProtocol   = "bad_protocol"         // what it sent is not the event socket protocol
	ReasonTooLarge      = "too_large"            // it sent more than Limits or MaxHeld allow
	ReasonStalled       = "stalled"              // it did not read what was written to it
	ReasonHandlerPanic  = "handler_panic"        // Handle panicked
	ReasonStranger      = "stranger"             // Handle refused it: it is no FreeSWITCH that Handle knows
)

// errStranger: Handle has refused the peer.
var errStranger = errors.New("not a FreeSWITCH of ours")

// errNoChannel: the peer answered connect, but is no channel.
var errNoChannel = errors.New("not a channel")

// reasonBefore is the reason for a connection that ended with err before it
// became a call.
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

// reasonOf is the reason for a connection that the Server cut with err. It is ""
// if the peer, the handler or the network ended the connection.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errEvicted):
		return ReasonEvicted
	case errors.Is(err, errStranger):
		return ReasonStranger
	case errors.Is(err, ErrProtocol):
		return ReasonBadProtocol
	case errors.Is(err, ErrLimit), errors.Is(err, ErrOverflow), errors.Is(err, errHeld):
		return ReasonTooLarge
	case errors.Is(err, ErrStalled):
		return ReasonStalled
	}
	return ""
}
