package esl

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// switchboard listens as FreeSWITCH's event socket does. The test plays each
// connection.
type switchboard struct {
	t  *testing.T
	ln net.Listener
}

func newSwitchboard(t *testing.T) *switchboard {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return &switchboard{t, ln}
}

// accept takes the link's next connection.
func (s *switchboard) accept() *peer {
	s.t.Helper()
	nc, err := s.ln.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	return newPeer(s.t, nc)
}

// login plays FreeSWITCH's side of the log-in and the subscription.
func (p *peer) login() {
	p.t.Helper()
	p.write("Content-Type: auth/request\n\n")
	p.expect("auth ClueCon")
	p.reply("+OK accepted")
	p.expect("event plain DTMF CUSTOM a::b")
	p.reply("+OK event listener enabled plain")
}

// linked is a running Link and what it reports.
type linked struct {
	*Link
	connected chan *Conn
	events    chan *Event
	downs     chan error
	ended     chan error
	stop      context.CancelFunc
}

func startLink(t *testing.T, s *switchboard, l *Link) *linked {
	t.Helper()
	v := &linked{Link: l, connected: make(chan *Conn, 10), events: make(chan *Event, 1000),
		downs: make(chan error, 10), ended: make(chan error, 1)}
	l.Name, l.Address = "fs1", s.ln.Addr().String()
	l.Password, l.Subscribe = NewSecret("ClueCon"), []string{"DTMF", "a::b"}
	l.MinBackoff, l.MaxBackoff = time.Millisecond, 10*time.Millisecond
	if l.Logger == nil {
		l.Logger = slog.New(slog.DiscardHandler)
	}
	if l.OnConnect == nil {
		l.OnConnect = func(_ context.Context, c *Conn) error { v.connected <- c; return nil }
	}
	l.OnEvent = func(e *Event) { v.events <- e }
	l.OnDown = func(err error) { v.downs <- err }
	ctx, cancel := context.WithCancel(t.Context())
	v.stop = cancel
	go func() { v.ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-v.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	return v
}

// TestLink: it logs in, subscribes, delivers events and sends commands. After a cut it
// dials again, and calls OnConnect again.
func TestLink(t *testing.T) {
	s := newSwitchboard(t)
	l := startLink(t, s, &Link{})
	if _, err := l.Send(t.Context(), API("status")); !errors.Is(err, ErrLinkDown) || l.Up() {
		t.Errorf("before it is up: %v", err)
	}
	for round := range 3 {
		p := s.accept()
		p.login()
		<-l.connected
		if !l.Up() {
			t.Error("not up")
		}
		p.write(eventText("Event-Name: DTMF\nround: " + string(rune('a'+round))))
		if e := <-l.events; e.Get("round") != string(rune('a'+round)) {
			t.Errorf("event of round %q in round %d", e.Get("round"), round)
		}
		go func() {
			p.expect("api x", "api y")
			p.write(apiText("+OK 1") + apiText("+OK 2"))
			p.write(eventText("Event-Name: DTMF\nlast: 1") + "Content-Type: text/dis")
			_ = p.nc.Close()
		}()
		replies, err := l.SendAll(t.Context(), []Command{API("x"), API("y")})
		if err != nil || replies[1].Text() != "+OK 2" {
			t.Errorf("%v, %v", replies, err)
		}
		if err := <-l.downs; !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("down: %v", err)
		}
		if e := <-l.events; !has(e, "last") { // it came before the cut
			t.Error("the last event is lost")
		}
		if _, err := l.SendAll(t.Context(), []Command{API("x")}); !errors.Is(err, ErrLinkDown) {
			t.Errorf("when it is down: %v", err)
		}
	}
}

// TestLinkCatchesUp: events wait while OnConnect runs, and come in order after it.
func TestLinkCatchesUp(t *testing.T) {
	s := newSwitchboard(t)
	asked := make(chan bool)
	l := startLink(t, s, &Link{OnConnect: func(ctx context.Context, c *Conn) error {
		r, err := c.Send(ctx, API("show", "channels"))
		if err != nil || r.Text() != "none" {
			t.Errorf("%q, %v", r.Text(), err)
		}
		close(asked)
		return err
	}})
	p := s.accept()
	p.login()
	p.write(eventText("Event-Name: DTMF\nn: 1") + eventText("Event-Name: DTMF\nn: 2"))
	p.expect("api show channels")
	if len(l.events) != 0 {
		t.Error("an event came before OnConnect was done")
	}
	p.write(apiText("none"))
	<-asked
	if a, b := <-l.events, <-l.events; a.Get("n") != "1" || b.Get("n") != "2" {
		t.Errorf("%q, %q", a.Get("n"), b.Get("n"))
	}
}

// TestLinkOnConnectFails: the link dials again.
func TestLinkOnConnectFails(t *testing.T) {
	s := newSwitchboard(t)
	boo := errors.New("boo")
	var once sync.Once
	again := make(chan bool)
	l := startLink(t, s, &Link{OnConnect: func(context.Context, *Conn) (err error) {
		once.Do(func() { err = boo })
		if err == nil {
			close(again)
		}
		return err
	}})
	s.accept().login()
	if err := <-l.downs; !errors.Is(err, boo) {
		t.Error(err)
	}
	s.accept().login()
	<-again
}

// lines is a writer that sends each log line on a channel.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// TestLinkRefused: for each reason not to get in, the link logs once what to do, and
// tries again.
func TestLinkRefused(t *testing.T) {
	tests := []struct {
		name string
		play func(*peer)
		want []string
	}{
		{"wrong password", func(p *peer) {
			p.write("Content-Type: auth/request\n\n")
			p.expect("auth ClueCon")
			p.reply("-ERR invalid")
			p.write("Content-Type: text/disconnect-notice\nContent-Length: 3\n\nbye")
		}, []string{"wrong password", "event_socket.conf.xml", "password"}},
		{"rude rejection", func(p *peer) {
			p.write("Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n")
		}, []string{"Access Denied, go away.", "apply-inbound-acl", "event_socket.conf.xml", "127.0.0.1"}},
		{"no event socket", func(p *peer) { p.write("SSH-2.0-OpenSSH\r\n") }, []string{"not the event socket protocol", "SSH-2.0"}},
		{"silent", func(p *peer) { p.command() }, []string{"no auth/request"}},
		{"subscription refused", func(p *peer) {
			p.write("Content-Type: auth/request\n\n")
			p.expect("auth ClueCon")
			p.reply("+OK accepted")
			p.expect("event plain DTMF CUSTOM a::b")
			p.reply("-ERR permission denied")
		}, []string{"subscribe", "-ERR permission denied"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSwitchboard(t)
			log := make(lines, 100)
			l := startLink(t, s, &Link{DialTimeout: 100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(log, nil))})
			for range 3 {
				p := s.accept()
				test.play(p)
				p.isCut()
			}
			text := <-log
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in %q", want, text)
				}
			}
			if strings.Contains(text, "ClueCon") || strings.Count(text, "esl:") != 1 {
				t.Errorf("logged: %s", text)
			}
			if test.name == "wrong password" && len(log) != 0 {
				t.Errorf("logged again: %s", <-log)
			}
			if l.Up() || len(l.downs) != 0 || len(l.connected) != 0 {
				t.Error("it was up")
			}
			p := s.accept() // now it is right
			p.login()
			<-l.connected
		})
	}
}

// TestLinkErrors: the errors of these log lines can be told apart with errors.Is.
func TestLinkErrors(t *testing.T) {
	for want, text := range map[error]string{
		ErrPassword: "Content-Type: auth/request\n\nContent-Type: command/reply\nReply-Text: -ERR invalid\n\n",
		ErrACL:      "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n",
	} {
		s := newSwitchboard(t)
		l := &Link{Name: "fs1", Address: s.ln.Addr().String(), Password: NewSecret("x")}
		go func() {
			nc, err := s.ln.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			p := newPeer(t, nc)
			greeting, reply, _ := strings.Cut(text, "\n\n")
			p.write(greeting + "\n\n")
			if want == ErrPassword {
				p.command()
			}
			p.write(reply)
			p.command()
			_ = nc.Close()
		}()
		if err := l.session(t.Context(), slog.New(slog.DiscardHandler)); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

// TestLinkHalfOpen: the heartbeat finds a peer that has vanished. A peer that only has
// nothing to send is not cut.
func TestLinkHalfOpen(t *testing.T) {
	s := newSwitchboard(t)
	l := startLink(t, s, &Link{Idle: 20 * time.Millisecond, Answer: 200 * time.Millisecond})
	p := s.accept()
	p.login()
	<-l.connected
	for range 3 {
		p.expect("api hostname")
		p.write(apiText("switch1"))
	}
	if len(l.downs) != 0 {
		t.Fatal(<-l.downs)
	}
	p.expect("api hostname")
	if err := <-l.downs; !errors.Is(err, ErrSilent) {
		t.Error(err)
	}
	p = s.accept()
	p.login()
	<-l.connected
	p.write("Content-Type: text/disconnect-notice\nContent-Length: 5\n\nbye.\n")
	if err := <-l.downs; !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), `"bye."`) {
		t.Error(err)
	}
}

// TestLinkOverflow: if the handler is too slow, the connection ends, and memory stays
// limited. The events that wait are delivered first; the next connection catches up.
func TestLinkOverflow(t *testing.T) {
	s := newSwitchboard(t)
	proceed := make(chan bool)
	var once sync.Once
	l := startLink(t, s, &Link{Limits: Limits{Events: 5}, OnConnect: func(context.Context, *Conn) error {
		once.Do(func() { <-proceed })
		return nil
	}})
	p := s.accept()
	p.login()
	for range 6 {
		p.write(eventText("Event-Name: DTMF"))
	}
	p.isCut()
	close(proceed)
	if err := <-l.downs; !errors.Is(err, ErrOverflow) {
		t.Error(err)
	}
	if len(l.events) != 5 {
		t.Errorf("%d events delivered", len(l.events))
	}
	s.accept().login()
}

// TestLinkStops: Run returns soon after its context ends, whatever it is doing.
func TestLinkStops(t *testing.T) {
	s := newSwitchboard(t)
	for name, play := range map[string]func(*linked){
		"dialling":   func(*linked) {},
		"logging in": func(*linked) { s.accept() },
		"up": func(l *linked) {
			s.accept().login()
			<-l.connected
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := startLink(t, s, &Link{})
			play(l)
			l.stop()
			if err := <-l.ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			l.ended <- context.Canceled // for the cleanup
			if l.Up() {
				t.Error("still up")
			}
		})
	}
}
