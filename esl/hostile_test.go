package esl

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestServerHostile: twenty hostile peers of one kind at once take a limited amount of
// memory. Each is counted once with the right reason, nothing is left of them, and
// real calls from the same address are served meanwhile.
func TestServerHostile(t *testing.T) {
	const reply = "Content-Type: command/reply\nReply-Text: +OK\n\n"
	send := func(text string) func(net.Conn) {
		return func(nc net.Conn) { _, _ = io.WriteString(nc, text) }
	}
	answer := func(text string) func(net.Conn) {
		return func(nc net.Conn) {
			_, _ = io.ReadFull(nc, make([]byte, len("connect\n\n")))
			_, _ = io.WriteString(nc, text)
		}
	}
	// A peer that is cut for what it sends never reaches ConnectTimeout.
	tests := []struct {
		name    string
		play    func(net.Conn)
		reasons string
	}{
		{"HTTP", send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), ReasonBadProtocol},
		{"HTTP POST with a body", send("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"), ReasonBadProtocol},
		{"TLS", func(nc net.Conn) { _ = tls.Client(nc, &tls.Config{ServerName: "x"}).Handshake() }, ReasonBadProtocol + ReasonNoChannelData + ReasonClosedEarly},
		{"SSH", send("SSH-2.0-OpenSSH_9.6\r\n"), ReasonBadProtocol},
		{"random bytes", func(nc net.Conn) {
			b := make([]byte, 64<<10)
			for i := range b {
				b[i] = byte(rand.Uint32())
			}
			_, _ = nc.Write(b)
		}, ReasonBadProtocol},
		{"an event socket that listens", send("Content-Type: auth/request\n\n"), ReasonNoChannelData},
		{"silence", send(""), ReasonNoChannelData},
		{"byte after byte", func(nc net.Conn) { trickle(nc, channelData, 50*time.Millisecond) }, ReasonNoChannelData},
		{"endless line", func(nc net.Conn) { pour(nc, strings.Repeat("x", 1000)) }, ReasonTooLarge},
		{"endless headers", func(nc net.Conn) { pour(nc, strings.Repeat("a: b\n", 200)) }, ReasonTooLarge},
		{"endless blank lines", func(nc net.Conn) { pour(nc, strings.Repeat("\n", 1000)) }, ReasonTooLarge},
		{"endless messages", func(nc net.Conn) { pour(nc, "Content-Type: log/data\nContent-Length: 1\n\nx") }, ReasonTooLarge},
		{"endless events", func(nc net.Conn) { pour(nc, eventText("Event-Name: X\nx: "+strings.Repeat("y", 8000))) }, ReasonTooLarge},
		{"a body that does not come", send("Content-Type: command/reply\nContent-Length: 262144\n\n"), ReasonNoChannelData},
		{"Content-Length -1", send("Content-Type: command/reply\nContent-Length: -1\n\n"), ReasonBadProtocol},
		{"Content-Length huge", send("Content-Type: command/reply\nContent-Length: 2147483648\n\n"), ReasonTooLarge},
		{"Content-Length 10^30", send("Content-Type: command/reply\nContent-Length: 1" + strings.Repeat("0", 30) + "\n\n"), ReasonTooLarge},
		{"two Content-Lengths", send("Content-Type: command/reply\nContent-Length: 1\nContent-Length: 2\n\n"), ReasonBadProtocol},
		{"refuses connect", answer("Content-Type: command/reply\nReply-Text: -ERR command not found\n\n"), ReasonNotAChannel},
		{"no Unique-ID", answer(strings.Replace(channelData, "Unique-ID", "Unique-Id", 1)), ReasonNotAChannel},
		{"Unique-ID with slashes", answer(channelNamed("../../etc/passwd")), ReasonNotAChannel},
		{"Unique-ID with slashes, encoded", answer(channelNamed("..%2F..%2Fetc")), ReasonNotAChannel},
		{"Unique-ID of 10 KB", answer(channelNamed(strings.Repeat("a", 10<<10))), ReasonNotAChannel},
		{"Unique-ID with a NUL", answer(channelNamed("u\x00")), ReasonNotAChannel},
		{"Unique-ID with a NUL, encoded", answer(channelNamed("u%00")), ReasonNotAChannel},
		{"Unique-ID with a line break", answer(channelNamed("u%0Aexit")), ReasonNotAChannel},
		{"reads nothing", func(nc net.Conn) {
			_ = nc.(*net.TCPConn).SetReadBuffer(4 << 10)
			answer(channelNamed("write"))(nc)
		}, ReasonStalled},
		{"replies that nobody asked for", answer(channelNamed("wait") + reply + reply), ReasonBadProtocol},
		{"closes", func(nc net.Conn) { _ = nc.Close() }, ReasonClosedEarly},
		{"resets", func(nc net.Conn) { _ = nc.(*net.TCPConn).SetLinger(0); _ = nc.Close() }, ReasonClosedEarly},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			timeout := time.Minute
			if strings.Contains(test.reasons, ReasonNoChannelData) {
				timeout = 700 * time.Millisecond
			}
			l := newLab(t, &Server{ConnectTimeout: timeout, MaxHeld: 8 << 20, Limits: Limits{Block: 256 << 10, Write: time.Second}})
			l.strange = strange
			const peers = 20
			g := newGauge()
			l.during(func() { l.attack(peers, test.play) })
			for reason, n := range l.counted(peers) {
				if !strings.Contains(test.reasons, reason) {
					t.Errorf("%d are %s, want %s", n, reason, test.reasons)
				}
			}
			l.none()
			// MaxHeld, and for each connection its buffers, and garbage made while
			// it was measured. A goroutine is the peer's own, three are the server's.
			heap := int64(8<<20 + peers*(64<<10) + 8<<20)
			if test.reasons == ReasonStalled {
				heap += peers * 2 * maxOut * 5 / 4 // what waits and what is being written; a slice may have a quarter to spare
			}
			g.within(t, heap, 5*peers+20)
		})
	}
}

// strange handles a hostile peer that sends a channel's data.
func strange(ctx context.Context, c *Call) {
	long := strings.Repeat("x", maxCommand-100)
	for c.UUID() == "write" && ctx.Err() == nil {
		give, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
		_, _ = c.Send(give, API("echo", long))
		cancel()
	}
	<-ctx.Done()
}

// attack connects all peers at once, lets each play, and waits until all are cut.
func (l *lab) attack(peers int, play func(net.Conn)) {
	var playing sync.WaitGroup
	for range peers {
		playing.Go(func() {
			nc, err := l.dialFrom(freeSWITCH)
			if err != nil {
				l.t.Error(err)
				return
			}
			defer nc.Close()
			play(nc)
			if l.uncut(nc) {
				l.t.Error("not cut")
			}
		})
	}
	playing.Wait()
}

// uncut waits until the server has cut a connection, and reports true if it does not.
// Until then it reads nothing; only the peer's kernel does.
func (l *lab) uncut(nc net.Conn) bool {
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); {
		_ = nc.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		_, err := nc.Write([]byte{'\n'}) // blank lines are skipped
		if err != nil && !os.IsTimeout(err) {
			return false
		}
		wait(l.t.Context(), 5*time.Millisecond)
	}
	return true
}

// none checks that no more rejections were counted.
func (l *lab) none() {
	l.t.Helper()
	if len(l.reasons) != 0 {
		l.t.Errorf("also rejected: %s and %d more", <-l.reasons, len(l.reasons))
	}
}

// TestServerEarlyClose: FreeSWITCH closes the connection at any byte of a captured
// call. Before its channel's data is complete that is a rejection, later it is none.
func TestServerEarlyClose(t *testing.T) {
	l := newLab(t, &Server{})
	stream := l.call.Received()
	_, ends, _ := parseAll(stream, Limits{}, 1<<30)
	g := newGauge()
	offsets := make(chan int)
	var playing sync.WaitGroup
	for i := range 4 { // each with its own address, because the number of ports is limited
		playing.Go(func() {
			for n := range offsets {
				if _, err := l.leg(fmt.Sprintf("127.0.0.%d", 10+i), n); err != nil {
					t.Errorf("closed after %d bytes: %v", n, err)
				}
			}
		})
	}
	for n := range stream {
		offsets <- n
	}
	close(offsets)
	playing.Wait()
	if reasons := l.counted(ends[0]); reasons[ReasonClosedEarly] != ends[0] {
		t.Errorf("%v, want %d that %s", reasons, ends[0], ReasonClosedEarly)
	}
	if _, err := l.leg(freeSWITCH, whole); err != nil {
		t.Error(err)
	}
	l.none()
	g.within(t, 8<<20, 100)
}

// TestServerHeld: peers that stay within the limits of one connection, but together
// hold more than MaxHeld, are cut: the largest first.
func TestServerHeld(t *testing.T) {
	l := newLab(t, &Server{MaxHeld: 4 << 20, ConnectTimeout: time.Minute})
	const peers, size = 150, 200 << 10
	g := newQuietGauge()
	var held []net.Conn
	for range peers {
		nc, err := l.dialFrom(freeSWITCH)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, nc)
	}
	half := "Content-Type: command/reply\nvariable_x: " + strings.Repeat("y", size)
	l.during(func() {
		for _, nc := range held {
			_, _ = io.WriteString(nc, half)
		}
		if reasons := l.counted(peers - (4<<20)/size); len(reasons) != 1 || reasons[ReasonTooLarge] == 0 {
			t.Error(reasons)
		}
	})
	g.sample()
	for _, nc := range held {
		_ = nc.Close()
	}
	held = nil
	g.within(t, 4<<20+peers*(24<<10), 4*peers)
}

// TestServerFlood: 10,000 silent connections, each from an address of its own and as
// many open as possible, or all from FreeSWITCH's own address. The server is full all
// the time. Real calls are served, and MaxConns limits the memory.
func TestServerFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 10,000 connections twice")
	}
	const flood, most = 10000, 1024
	for name, from := range map[string]func(int) string{
		"from everywhere":  func(i int) string { return fmt.Sprintf("127.%d.%d.%d", 1+i%7, i/250%250, 1+i%250) },
		"from one address": func(int) string { return freeSWITCH },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, &Server{ConnectTimeout: time.Minute})
			g := newGauge()
			stay := min(flood, openFiles()-most-500) // as many stay open as the test itself has file descriptors for
			open := make([]net.Conn, 0, stay)
			l.during(func() {
				for i := range flood {
					nc, err := l.dialFrom(from(i))
					if err != nil {
						t.Error(err)
						return
					}
					if i < stay {
						open = append(open, nc)
					} else {
						_ = nc.Close()
					}
				}
			})
			reasons := l.counted(flood - most)
			if reasons[ReasonTooMany] != 0 || reasons[ReasonEvicted] < stay-most-1 {
				t.Errorf("%v, %d stay", reasons, stay)
			}
			l.during(func() {}) // the server is still full
			for _, nc := range open {
				_ = nc.Close()
			}
			rest := flood
			for _, n := range reasons {
				rest -= n
			}
			l.counted(rest)
			l.none()
			open = nil
			// the peers' own sockets are counted too: 1 KB each
			g.within(t, flood*(1<<10)+most*(96<<10), 5*most)
		})
	}
}

// TestAdmissionShares: which connection is cut when room is needed.
func TestAdmissionShares(t *testing.T) { synctest.Test(t, testAdmissionShares) }

func testAdmissionShares(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	defer near.Close()
	a := newAdmission(32, 1<<20)
	addr := loopback[0].Addr()
	enter := func(n int) *client {
		at := addr
		for range n {
			at = at.Next()
		}
		for {
			c, later := a.enter(at, NewConn(near, Limits{}))
			if c == nil && later == 0 {
				t.Fatalf("%d is turned away", n)
			}
			if c != nil {
				return c
			}
			wait(t.Context(), later)
		}
	}
	first := enter(1)
	var flood []*client
	for range 31 {
		flood = append(flood, enter(2))
	}
	began := time.Now()
	enter(3)
	if d := time.Since(began); d != connectGrace {
		t.Errorf("the oldest of the flood had %v", d)
	}
	if first.gone || !flood[0].gone || flood[1].gone {
		t.Error("the connection that was cut is not the oldest of the flood")
	}
	if !a.promote(first, 0) || a.promote(flood[0], 0) {
		t.Error("a client that was cut became a call, or one that was not did not")
	}
	for _, c := range flood[1:] {
		a.promote(c, 0)
	}
	last := enter(4) // it displaces 3, the only one that waits
	a.promote(last, 0)
	if c, later := a.enter(addr, NewConn(near, Limits{})); c != nil || later != 0 {
		t.Error("a call was cut")
	}
	for c := range a.clients {
		a.leave(c)
	}
	if len(a.clients) != 0 || a.waiting.Len() != 0 || a.held != 0 || len(a.origins) != 3 { // the origins of the calls
		t.Errorf("%+v", a)
	}
	// A burst from FreeSWITCH itself does not count against it: address 1 has sent a
	// channel's data, addresses 5 to 34 have not.
	own := []*client{enter(1), enter(1)}
	for n := range 31 {
		enter(5 + n)
	}
	if slices.ContainsFunc(own, func(c *client) bool { return c.gone }) {
		t.Error("a connection of FreeSWITCH was cut for strangers")
	}
}
