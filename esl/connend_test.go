package esl

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestEnds: the reason that Run returns.
func TestEnds(t *testing.T) {
	notice := "Content-Type: text/disconnect-notice\nControlled-Session-UUID: u\nContent-Disposition: "
	tests := []struct {
		name string
		text string
		want error
	}{
		{"closed", "", io.EOF},
		{"closed within a message", "Content-Type: auth/re", io.ErrUnexpectedEOF},
		{"disconnect notice", notice + "disconnect\nContent-Length: 3\n\nbye", io.EOF},
		{"notice of an inbound connection", "Content-Type: text/disconnect-notice\nContent-Length: 3\n\nbye", io.EOF},
		{"bytes after the notice", notice + "disconnect\nContent-Length: 3\n\nbyeboo\nboo", io.EOF},
		{"linger, then closed", notice + "linger\nContent-Length: 0\n\n", io.EOF},
		{"linger, then rubbish", notice + "linger\nContent-Length: 0\n\nboo\n", ErrProtocol},
		{"rejection", "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n", ErrACL},
		{"reply to nobody", "Content-Type: command/reply\nReply-Text: +OK\n\n", ErrProtocol},
		{"event in JSON", "Content-Type: text/event-json\nContent-Length: 2\n\n{}", ErrProtocol},
		{"event with too many headers", eventText(strings.Repeat("a: b\n", 50) + "a: b"), ErrLimit},
		{"rubbish", "\x16\x03\x01\n", ErrProtocol},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			session(t, Limits{Headers: 50}, func(t *testing.T, c *Conn, p *peer) {
				if _, err := io.WriteString(p.nc, test.text); err != nil {
					t.Error(err)
				}
				_ = p.nc.Close()
				<-c.done
				if !errors.Is(c.Err(), test.want) {
					t.Errorf("%v, want %v", c.Err(), test.want)
				}
				if text := c.Err().Error(); strings.ContainsAny(text, "\n\r") || strings.Count(text, "esl:") > 1 {
					t.Errorf("error %q", text)
				}
				_, err := c.Send(t.Context(), API("status"))
				if !errors.Is(err, ErrClosed) || !errors.Is(err, test.want) {
					t.Errorf("Send after the end: %v", err)
				}
			})
		})
	}
}

// TestPeerDoesNotRead: a peer that reads nothing does not block a sender for ever.
func TestPeerDoesNotRead(t *testing.T) {
	session(t, Limits{Write: 3 * time.Second}, func(t *testing.T, c *Conn, _ *peer) {
		began := time.Now()
		_, err := c.Send(t.Context(), API("status"))
		if !errors.Is(err, ErrStalled) || time.Since(began) != 3*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// TestPeerDoesNotAnswer: the number of commands without a reply is limited.
func TestPeerDoesNotAnswer(t *testing.T) {
	session(t, Limits{Unanswered: 3}, func(t *testing.T, c *Conn, p *peer) {
		go func() {
			for p.command() != "" {
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var senders sync.WaitGroup
		for range 3 {
			senders.Go(func() {
				if _, err := c.Send(ctx, API("x")); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		senders.Wait()
		if _, err := c.Send(t.Context(), API("x")); !errors.Is(err, ErrStalled) {
			t.Errorf("fourth: %v", err)
		}
	})
}
