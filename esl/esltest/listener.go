package esltest

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	firstPacket = 25 * time.Second // how long the first command may take
	goodbye     = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
)

// listener is one event socket connection, inbound or outbound. One goroutine reads
// commands, runs them and writes their replies; a second one, started at the first
// subscription, writes events.
type listener struct {
	sw      *Switch
	conn    net.Conn
	in      *bufio.Reader
	channel *Channel // of an outbound connection; nil: inbound

	// The switch's lock guards these.
	authed   bool
	events   bool
	all      bool
	names    map[string]bool
	custom   map[string]bool
	myEvents string
	filters  []header
	linger   bool
	lingerS  int
	pumping  bool
	leave    bool // end the connection after this reply

	mu      sync.Mutex // guards the queue
	wake    *sync.Cond
	queue   []*event
	missed  int
	writing bool // an event is being written
	busy    bool // a command runs: its reply goes out before new events
	closed  bool

	write sync.Mutex
}

// newListener registers a connection. The switch's lock is held.
func newListener(s *Switch, conn net.Conn, c *Channel) *listener {
	l := &listener{
		sw: s, conn: conn, in: bufio.NewReader(conn), channel: c,
		authed: c != nil, names: map[string]bool{}, custom: map[string]bool{},
	}
	l.wake = sync.NewCond(&l.mu)
	s.listeners[l] = struct{}{}
	return l
}

// close ends the connection. The goroutines that read and write see it.
func (l *listener) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		l.conn.Close()
		l.wake.Broadcast()
	}
}

func (l *listener) cut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

func (l *listener) unregister() {
	l.sw.mu.Lock()
	delete(l.sw.listeners, l)
	l.sw.checkTold()
	l.sw.mu.Unlock()
	l.close()
}

// serveInbound serves an inbound connection from its greeting to its end
// (mod_event_socket.c, listener_run).
func (l *listener) serveInbound() {
	defer l.unregister()
	l.sw.mu.Lock()
	rude := l.sw.faults.rude
	l.sw.mu.Unlock()
	if rude {
		l.send([]byte("Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"))
		return
	}
	l.sw.thaw()
	if l.send([]byte("Content-Type: auth/request\n\n")) != nil {
		return
	}
	l.conn.SetReadDeadline(time.Now().Add(firstPacket))
	if l.commands() == nil {
		l.disconnect()
	}
}

// commands reads and runs commands until one of them ends the connection, and then
// returns nil, or until the connection breaks.
func (l *listener) commands() error {
	for {
		m, err := readPacket(l.in)
		if err != nil {
			return err
		}
		l.sw.thaw()
		l.setBusy(true)
		reply, leave := l.do(m)
		l.wait()
		err = l.send(reply)
		l.setBusy(false)
		if err != nil || leave {
			return err
		}
	}
}

// do runs one command under the switch's lock.
func (l *listener) do(m packet) (reply []byte, leave bool) {
	l.sw.mu.Lock()
	defer l.sw.mu.Unlock()
	if l.cut() { // by Restart
		return nil, true
	}
	l.sw.running(l, m)
	reply = l.command(m)
	l.sw.ran()
	if l.authed && l.channel == nil {
		l.conn.SetReadDeadline(time.Time{})
	}
	return reply, l.leave
}

// wait delays a reply as DelayReplies says.
func (l *listener) wait() {
	l.sw.mu.Lock()
	d := l.sw.faults.delay
	l.sw.mu.Unlock()
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.sw.life.Done():
	}
}

// send writes one frame, or as much of it as CutFrame allows.
func (l *listener) send(frame []byte) error {
	l.sw.mu.Lock()
	cut := l.sw.faults.cut
	if cut > 0 {
		l.sw.faults.cut = 0
	}
	l.sw.mu.Unlock()
	l.write.Lock()
	defer l.write.Unlock()
	if cut > 0 && cut < len(frame) {
		l.conn.Write(frame[:cut])
		l.close()
		return net.ErrClosed
	}
	l.conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
	_, err := l.conn.Write(frame)
	return err
}

// disconnect writes the disconnect notice (mod_event_socket.c, send_disconnect).
func (l *listener) disconnect() {
	session := ""
	if l.channel != nil {
		session = "Controlled-Session-UUID: " + l.channel.uuid + "\nContent-Disposition: disconnect\n"
	}
	l.send(fmt.Appendf(nil, "Content-Type: text/disconnect-notice\n%sContent-Length: %d\n\n%s", session, len(goodbye), goodbye))
}
