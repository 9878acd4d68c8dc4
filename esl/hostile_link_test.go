package esl

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLinkHostile: whatever a peer sends on a watch link after the log-in, the worst is
// that the connection ends, memory stays limited, and the next connection works.
func TestLinkHostile(t *testing.T) {
	const notice = "Content-Type: text/disconnect-notice\nContent-Length: 67\n\n" +
		"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
	random := make([]byte, 64<<10)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	lim := Limits{Body: 1 << 20, EventBytes: 4 << 20}
	send := func(text string) func(*peer) {
		return func(p *peer) { _, _ = io.WriteString(p.nc, text) }
	}
	tests := []struct {
		name string
		play func(*peer)
		want error
	}{
		{"random bytes", send(string(random)), ErrProtocol},
		{"an endless line", func(p *peer) { pour(p.nc, strings.Repeat("x", 1000)) }, ErrLimit},
		{"an endless block", func(p *peer) { pour(p.nc, strings.Repeat("a: b\n", 200)) }, ErrLimit},
		{"an event above the limit", send("Content-Type: text/event-plain\nContent-Length: 1048577\n\n"), ErrLimit},
		{"an event of gigabytes", send("Content-Type: text/event-plain\nContent-Length: 8589934592\n\n"), ErrLimit},
		{"an event of 10^40 bytes", send("Content-Type: text/event-plain\nContent-Length: 1" + strings.Repeat("0", 40) + "\n\n"), ErrLimit},
		{"an event with endless headers", func(p *peer) { p.write(eventText(strings.Repeat("a:\n", 300_000))) }, ErrLimit},
		{"an endless event, slowly", func(p *peer) {
			p.write("Content-Type: text/event-plain\nContent-Length: 1000000\n\n")
			trickle(p.nc, strings.Repeat("x", 10000), 10*time.Millisecond)
		}, ErrSilent},
		{"endless blank lines, slowly", func(p *peer) { trickle(p.nc, strings.Repeat("\n", 10000), 10*time.Millisecond) }, ErrSilent},
		{"silence", func(*peer) {}, ErrSilent},
		{"events faster than they are taken", func(p *peer) { pour(p.nc, eventText("Event-Name: DTMF\nx: "+strings.Repeat("y", 2000))) }, ErrOverflow},
		{"replies that nobody asked for", send("Content-Type: command/reply\nReply-Text: +OK\n\n"), ErrProtocol},
		{"an answer of gigabytes", func(p *peer) {
			p.expect("api hostname")
			p.write("Content-Type: api/response\nContent-Length: 8589934592\n\n")
		}, ErrLimit},
		{"answers that nobody asked for", send(apiText("+OK")), ErrProtocol},
		{"endless answers to one command", func(p *peer) {
			p.expect("api hostname")
			pour(p.nc, apiText("switch1"))
		}, ErrProtocol},
		{"answers of background jobs that nobody began", func(p *peer) {
			pour(p.nc, "Content-Type: command/reply\nReply-Text: +OK Job-UUID: 7f4db78a-17d7-11dd-b7a0-db4edd065621\nJob-UUID: 7f4db78a-17d7-11dd-b7a0-db4edd065621\n\n")
		}, ErrProtocol},
		{"a notice within a block", send("Content-Length: 500\nContent-Ty" + notice), ErrProtocol},
		{"a notice within an event", func(p *peer) {
			p.write("Content-Length: 500\nContent-Type: text/event-plain\n\nEvent-Name: DTMF\nx: " + notice)
			_ = p.nc.Close()
		}, io.ErrUnexpectedEOF},
		{"a notice that ends an event", send("Content-Length: 60\nContent-Type: text/event-plain\n\nEvent-Name: DTMF\nx: " + notice), ErrProtocol},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSwitchboard(t)
			// DialTimeout is long, so that the link does not give up while the test measures.
			l := startLink(t, s, &Link{Limits: lim, DialTimeout: time.Minute, Idle: 100 * time.Millisecond, Answer: time.Second})
			if errors.Is(test.want, ErrOverflow) {
				for range cap(l.events) { // now the handler waits until the test takes one
					l.events <- nil
				}
			}
			p := s.accept()
			p.login()
			<-l.connected
			g := newGauge()
			test.play(p)
			p.isCut()
			g.sample()
			if errors.Is(test.want, ErrOverflow) {
				l.drain(test.want)
			} else if err := <-l.downs; !errors.Is(err, test.want) {
				t.Errorf("down: %v, want %v", err, test.want)
			}
			g.within(t, 2*(4<<20)+1<<20, 20) // the events that wait, and a message, each at most twice
			p = s.accept()
			p.login()
			<-l.connected
			p.write(eventText("Event-Name: DTMF\nlast: 1"))
			for e := <-l.events; !has(e, "last"); e = <-l.events {
			}
		})
	}
}

// TestForgedAnswers: an event is never the answer to a command, whatever it says of itself,
// and what it says of its own length is not believed.
func TestForgedAnswers(t *testing.T) {
	s := newSwitchboard(t)
	l := startLink(t, s, &Link{})
	p := s.accept()
	p.login()
	<-l.connected
	forged := []string{
		"Event-Name: BACKGROUND_JOB\nJob-UUID: 7f4db78a-17d7-11dd-b7a0-db4edd065621\nContent-Length: 4\n\n+OK\n",
		"Event-Name: API\nAPI-Command: uuid_dump\nReply-Text: +OK\nContent-Type: api/response\nContent-Length: 4\n\n+OK\n",
		"Event-Name: CUSTOM\nContent-Type: command/reply\nReply-Text: +OK\nContent-Length: 8589934592",
	}
	answered := make(chan Reply, 1)
	go func() {
		reply, err := l.Send(t.Context(), API("uuid_record", "u-1", "mask", "/x.wav"))
		if err != nil {
			t.Error(err)
		}
		answered <- reply
	}()
	p.expect("api uuid_record u-1 mask /x.wav")
	for _, text := range forged {
		p.write(eventText(text))
		<-l.events
	}
	p.write(apiText("-ERR refused\n"))
	if reply := <-answered; reply.OK() || reply.Text() != "-ERR refused" {
		t.Errorf("the answer is %q", reply.Text())
	}
}

// drain takes events until the link is down, and checks the reason.
func (l *linked) drain(want error) {
	for {
		select {
		case <-l.events:
		case err := <-l.downs:
			if !errors.Is(err, want) {
				panic(err)
			}
			return
		}
	}
}

// TestHeartbeat: by default a silent peer is asked for a sign of life every 3 s, and a
// peer that has vanished is cut 5 s after its last one.
func TestHeartbeat(t *testing.T) {
	session(t, Limits{}, func(t *testing.T, c *Conn, p *peer) {
		began := time.Now()
		go (&Link{}).heartbeat(t.Context(), c)
		for i := range 3 {
			p.expect("api hostname")
			if d := time.Since(began); d != time.Duration(i+1)*3*time.Second {
				t.Errorf("asked after %v", d)
			}
			p.write(apiText("switch1"))
		}
		p.expect("api hostname")
		<-c.done
		if d := time.Since(began); !errors.Is(c.Err(), ErrSilent) || d != (3*3+5)*time.Second {
			t.Errorf("after %v: %v", d, c.Err())
		}
		synctest.Wait()
	})
}
