package esl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// peer is the other end of a connection. The test plays it.
type peer struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	return &peer{t, nc, bufio.NewReader(nc)}
}

// command reads one command. It returns "" if the connection has ended.
func (p *peer) command() string {
	var lines []string
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			return ""
		}
		if line == "\n" {
			return strings.Join(lines, "\n")
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
}

func (p *peer) expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := p.command(); got != w {
			p.t.Errorf("command %q, want %q", got, w)
		}
	}
}

func (p *peer) write(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.nc, text); err != nil {
		p.t.Errorf("peer: %v", err)
	}
}

func (p *peer) reply(text string) {
	p.t.Helper()
	p.write("Content-Type: command/reply\nReply-Text: " + text + "\n\n")
}

func eventText(headers string) string {
	headers += "\n\n"
	return fmt.Sprintf("Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(headers), headers)
}

func apiText(body string) string {
	return fmt.Sprintf("Content-Type: api/response\nContent-Length: %d\n\n%s", len(body), body)
}

// session starts a Conn and its peer in a synctest bubble. It ends both; a goroutine
// that is left fails the test.
func session(t *testing.T, lim Limits, test func(*testing.T, *Conn, *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := NewConn(near, lim)
		var running sync.WaitGroup
		running.Go(func() { _ = conn.Run(context.Background()) })
		test(t, conn, newPeer(t, far))
		conn.Close()
		_ = far.Close()
		running.Wait()
	})
}

func TestSend(t *testing.T) {
	session(t, Limits{}, func(t *testing.T, c *Conn, p *peer) {
		go func() {
			p.expect("api status")
			p.write(eventText("Event-Name: DTMF") + "Content-Type: log/data\nContent-Length: 1\n\nx" + apiText("UP\n"))
			p.expect("exit")
			p.reply("+OK bye")
		}()
		r, err := c.Send(t.Context(), API("status"))
		if err != nil || r.Text() != "UP" || r.Raw() != "UP\n" {
			t.Errorf("%q, %v", r.Raw(), err)
		}
		if r, err := c.Send(t.Context(), Exit()); err != nil || !r.OK() {
			t.Errorf("%q, %v", r.Text(), err)
		}
		if e, err := c.Next(t.Context()); err != nil || e.Name() != "DTMF" {
			t.Errorf("%v, %v", e, err)
		}
	})
}

// TestLateReply: the reply to a command whose sender has given up is dropped, and the
// next command gets its own reply.
func TestLateReply(t *testing.T) {
	session(t, Limits{}, func(t *testing.T, c *Conn, p *peer) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() { p.expect("api first", "api second", "api third") }()
		r, err := c.Send(ctx, API("first"))
		if !errors.Is(err, context.DeadlineExceeded) || r.Text() != "" {
			t.Fatalf("%q, %v", r.Text(), err)
		}
		var second Reply
		var pending sync.WaitGroup
		pending.Go(func() { second, _ = c.Send(t.Context(), API("second")) })
		synctest.Wait()
		p.write(apiText("to the first"))
		synctest.Wait()
		p.write(apiText("to the second"))
		pending.Wait()
		if second.Text() != "to the second" {
			t.Errorf("second got %q", second.Text())
		}
		pending.Go(func() {
			if r, err := c.Send(t.Context(), API("third")); err != nil || r.Text() != "to the third" {
				t.Errorf("third got %q, %v", r.Text(), err)
			}
		})
		synctest.Wait()
		p.write(apiText("to the third"))
		pending.Wait()
	})
}

// TestDefaultDeadline: a Send whose context has no deadline still has one.
func TestDefaultDeadline(t *testing.T) {
	session(t, Limits{Reply: 7 * time.Second}, func(t *testing.T, c *Conn, p *peer) {
		go p.expect("api status")
		began := time.Now()
		_, err := c.Send(context.Background(), API("status"))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 7*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if err := c.Err(); err != nil {
			t.Errorf("the connection ended: %v", err)
		}
	})
}

// writeCounter counts writes.
type writeCounter struct {
	net.Conn
	mu     sync.Mutex
	writes []string
}

func (w *writeCounter) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.writes = append(w.writes, string(b))
	w.mu.Unlock()
	return w.Conn.Write(b)
}

func TestSendAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		counter := &writeCounter{Conn: near}
		c, p := NewConn(counter, Limits{}), newPeer(t, far)
		go func() {
			p.expect("api uuid_setvar u a b", "sendmsg \ncall-command: execute\nexecute-app-name: x", "exit")
			p.write(apiText("+OK\n"))
			p.reply("-ERR no")
			p.reply("+OK bye")
			_ = far.Close()
		}()
		var running sync.WaitGroup
		running.Go(func() {
			if err := c.Run(context.Background()); !errors.Is(err, io.EOF) {
				t.Errorf("Run: %v", err)
			}
		})
		replies, err := c.SendAll(t.Context(), []Command{SetVar("u", "a", "b"), Execute("x", ""), Exit()})
		if err != nil || len(replies) != 3 || !replies[0].OK() || replies[1].OK() || replies[2].Text() != "+OK bye" {
			t.Errorf("%v, %v", replies, err)
		}
		if len(counter.writes) != 1 {
			t.Errorf("%d writes: %q", len(counter.writes), counter.writes)
		}
		running.Wait()
		if replies, err := c.SendAll(t.Context(), nil); len(replies) != 0 || err != nil {
			t.Errorf("nothing: %v, %v", replies, err)
		}
	})
}

// TestPost: what is posted is written in that order, whoever waits first for the replies.
func TestPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c, p := NewConn(near, Limits{}), newPeer(t, far)
		go func() {
			p.expect("api one", "api two", "api three", "api four")
			for _, text := range []string{"1", "2", "3", "4"} {
				p.write(apiText(text))
			}
			_ = far.Close()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first := c.Post(ctx, []Command{API("one"), API("two")})
		second := c.Post(ctx, []Command{API("three")})
		third := c.Post(ctx, []Command{API("four")})
		refused := c.Post(ctx, []Command{API("five", "\n")})
		var running sync.WaitGroup
		running.Go(func() { _ = c.Run(context.Background()) })
		for _, one := range []struct {
			wait func() ([]Reply, error)
			want string
		}{{third, "4"}, {first, "1 2"}, {second, "3"}} {
			replies, err := one.wait()
			var got []string
			for _, r := range replies {
				got = append(got, r.Text())
			}
			if strings.Join(got, " ") != one.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, one.want)
			}
		}
		if _, err := refused(); err == nil {
			t.Error("a command of two lines was posted")
		}
		running.Wait()
	})
}

// TestSendAllFailed: the error says which command has no reply. The replies that came
// are returned.
func TestSendAllFailed(t *testing.T) {
	cmds := []Command{API("a"), API("b"), API("c")}
	check := func(t *testing.T, replies []Reply, err error, cause error) {
		t.Helper()
		var failed *SendError
		if !errors.As(err, &failed) || failed.Index != 1 || failed.Name != "b" || !errors.Is(err, cause) || len(replies) != 1 {
			t.Errorf("%d replies, %v", len(replies), err)
		}
	}
	session(t, Limits{}, func(t *testing.T, c *Conn, p *peer) {
		go func() {
			p.expect("api a", "api b", "api c")
			p.write(apiText("+OK"))
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		replies, err := c.SendAll(ctx, cmds)
		check(t, replies, err, context.DeadlineExceeded)
	})
	session(t, Limits{}, func(t *testing.T, c *Conn, p *peer) {
		go func() {
			p.expect("api a", "api b", "api c")
			p.write(apiText("+OK"))
			_ = p.nc.Close()
		}()
		replies, err := c.SendAll(t.Context(), cmds)
		check(t, replies, err, ErrClosed)
		check(t, replies, err, io.EOF)
	})
	session(t, Limits{}, func(t *testing.T, c *Conn, p *peer) {
		replies, err := c.SendAll(t.Context(), []Command{API("a"), API("b", "c\nd")})
		var failed *SendError
		if !errors.As(err, &failed) || failed.Index != 1 || !errors.Is(err, ErrRefused) || replies != nil {
			t.Errorf("%v, %v", replies, err)
		}
		go p.expect("exit") // and nothing before it
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = c.Send(ctx, Exit())
	})
}

// TestSenders: of many senders at once, each gets its own reply.
func TestSenders(t *testing.T) {
	session(t, Limits{}, func(t *testing.T, c *Conn, p *peer) {
		go func() {
			for cmd := p.command(); cmd != ""; cmd = p.command() {
				p.write(eventText("Event-Name: X") + apiText("re "+cmd))
			}
		}()
		var senders sync.WaitGroup
		for i := range 20 {
			senders.Go(func() {
				for j := range 50 {
					word := fmt.Sprintf("%d-%d", i, j)
					if j%10 == 0 { // these give up
						ctx, cancel := context.WithCancel(t.Context())
						cancel()
						_, _ = c.Send(ctx, API("gone", word))
						continue
					}
					replies, err := c.SendAll(t.Context(), []Command{API("a", word), API("b", word)})
					if err != nil || replies[0].Text() != "re api a "+word || replies[1].Text() != "re api b "+word {
						t.Errorf("%s: %v, %v", word, replies, err)
					}
				}
			})
		}
		senders.Wait()
	})
}

// TestOrder: 10,000 events with replies between them come in order.
func TestOrder(t *testing.T) {
	session(t, Limits{}, func(t *testing.T, c *Conn, p *peer) {
		const n = 10000
		go func() {
			for i := range n {
				if i%100 == 0 {
					p.command()
					p.write(apiText("+OK"))
				}
				p.write(eventText(fmt.Sprintf("Event-Name: X\nEvent-Sequence: %d", i)))
			}
			_ = p.nc.Close()
		}()
		var sender sync.WaitGroup
		sender.Go(func() {
			for range n / 100 {
				if r, err := c.Send(t.Context(), API("x")); err != nil || !r.OK() {
					t.Errorf("%q, %v", r.Text(), err)
				}
			}
		})
		for i := range n {
			e, err := c.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Get("Event-Sequence"); got != fmt.Sprint(i) {
				t.Fatalf("event %s at %d", got, i)
			}
		}
		sender.Wait()
		if _, err := c.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the last: %v", err)
		}
	})
}

// TestOverflow: one event too many ends the connection. The events that are queued are
// still delivered.
func TestOverflow(t *testing.T) {
	for name, lim := range map[string]Limits{"events": {Events: 5}, "bytes": {EventBytes: 5 * 200}} {
		t.Run(name, func(t *testing.T) {
			session(t, lim, func(t *testing.T, c *Conn, p *peer) {
				go func() {
					for i := 0; c.Err() == nil; i++ {
						_, _ = io.WriteString(p.nc, eventText(fmt.Sprintf("Event-Name: X\nEvent-Sequence: %d\nx: %40d", i, i)))
					}
				}()
				<-c.done
				if !errors.Is(c.Err(), ErrOverflow) {
					t.Fatal(c.Err())
				}
				n := 0
				for {
					e, err := c.Next(t.Context())
					if err != nil {
						if !errors.Is(err, ErrOverflow) || !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						break
					}
					if e.Get("Event-Sequence") != fmt.Sprint(n) {
						t.Errorf("event %s at %d", e.Get("Event-Sequence"), n)
					}
					n++
				}
				if n == 0 || n > 5 {
					t.Errorf("%d events delivered", n)
				}
			})
		})
	}
}

// TestEventQueue: the order and the number of bytes are right after any mix of push and
// pop.
func TestEventQueue(t *testing.T) {
	var q eventQueue
	lim := Limits{Events: 64, EventBytes: 1 << 20}
	in, out := 0, 0
	for step := range 100000 {
		if step%7 < 4 {
			if q.push(mustEvent(t, fmt.Sprintf("n: %d\n\n", in)), lim) {
				in++
			} else if q.len() != 64 {
				t.Fatalf("refused at %d", q.len())
			}
		} else if e := q.pop(); e != nil {
			if e.Get("n") != fmt.Sprint(out) {
				t.Fatalf("event %s, want %d", e.Get("n"), out)
			}
			out++
		}
		if q.len() != in-out || cap(q.events) > 1024 {
			t.Fatalf("%d events, want %d, in room for %d", q.len(), in-out, cap(q.events))
		}
	}
	for q.pop() != nil {
		out++
	}
	if in != out || q.bytes != 0 || out < 40000 {
		t.Errorf("%d in, %d out, %d bytes left", in, out, q.bytes)
	}
}

func TestContextEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := NewConn(near, Limits{})
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if err := c.Run(ctx); !errors.Is(err, cause) {
			t.Error(err)
		}
		if _, err := c.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

// TestNextContext: Next returns when its context ends.
func TestNextContext(t *testing.T) {
	session(t, Limits{}, func(t *testing.T, c *Conn, p *peer) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
