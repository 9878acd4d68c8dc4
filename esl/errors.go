package esl

import (
	"errors"
	"fmt"
	"io"
	"net"
)

// Why a connection ended or a command was not answered; use errors.Is.
var (
	// ErrProtocol: the peer sent something that is not the event socket protocol.
	ErrProtocol = errors.New("not the event socket protocol")
	// ErrLimit: the peer sent more than Limits allow.
	ErrLimit = errors.New("limit exceeded")
	// ErrOverflow: events came faster than they were taken, and the queue is full.
	ErrOverflow = errors.New("event queue overflow")
	// ErrStalled: the peer does not read what is written to it, or left too
	// many commands unanswered.
	ErrStalled = errors.New("peer does not keep up")
	// ErrSilent: the peer did not answer a heartbeat. The TCP connection is
	// probably half open.
	ErrSilent = errors.New("peer is silent")
	// ErrClosed: the connection has ended, or was closed on this side.
	ErrClosed = errors.New("connection closed")
	// ErrRefused: a command was refused before anything was written.
	ErrRefused = errors.New("command refused")
	// ErrLinkDown: the link has no connection at the moment.
	ErrLinkDown = errors.New("link is down")
	// ErrPassword: FreeSWITCH did not accept the password.
	ErrPassword = errors.New("wrong password")
	// ErrACL: FreeSWITCH's access list does not allow this host.
	ErrACL = errors.New("rejected by access list")
)

// A SendError names the command of a Send or SendAll that was refused, or the
// first one that has no reply. Err is the cause.
type SendError struct {
	Index int    // of the command in the slice given to SendAll
	Name  string // its Command.Name
	Err   error
}

func (e *SendError) Error() string { return fmt.Sprintf("esl: send %s: %v", e.Name, e.Err) }

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// prefixed adds "esl:" to an error that leaves the package. Errors within the
// package do not have it.
func prefixed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("esl: %w", err)
}

// protocolError is an ErrProtocol that says what was wrong.
func protocolError(format string, args ...any) error {
	return fmt.Errorf("read: %w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// limitError is an ErrLimit that says which limit.
func limitError(format string, args ...any) error {
	return fmt.Errorf("read: %w: %s", ErrLimit, fmt.Sprintf(format, args...))
}

// closedError is the ErrClosed of a connection that ended with cause.
func closedError(cause error) error {
	if errors.Is(cause, ErrClosed) {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrClosed, cause)
}

// host is an address without its port.
func host(a net.Addr) string {
	h, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return h
}

// clip shortens hostile or long text for one line of a message.
func clip(s string) string {
	const most = 120
	if len(s) > most {
		s = s[:most] + "..."
	}
	return s
}

// endOf is the error of a stream that ended: io.EOF between frames,
// io.ErrUnexpectedEOF within one.
func endOf(p *parser) error {
	if p.idle() {
		return io.EOF
	}
	return fmt.Errorf("read: stream ended within a message: %w", io.ErrUnexpectedEOF)
}
