package esltest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxPacket   = 10485760 // mod_event_socket.c, read_packet: max_len
	maxQueue    = 100000   // MAX_QUEUE_LEN
	maxMissed   = 500      // MAX_MISSED
	firstPacket = 25 * time.Second
	goodbye     = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
)

// listener is one event socket connection of either kind. A goroutine reads
// commands, does them and writes their replies; a second one, started with the
// first subscription, writes events.
type listener struct {
	sw      *Switch
	conn    net.Conn
	in      *bufio.Reader
	channel *Channel // nil: inbound

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
	leave    bool // after this reply

	mu      sync.Mutex // guards the queue
	wake    *sync.Cond
	queue   []*event
	missed  int
	writing bool // an event
	busy    bool // a command is being done: its reply goes before new events
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

// close ends the connection; reading and writing goroutines see it.
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
	l.sw.mu.Unlock()
	l.close()
}

// serveInbound is the life of an inbound connection (mod_event_socket.c,
// listener_run).
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

// commands reads and does commands until one of them ends the connection
// (nil), or it breaks.
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

// do does one command under the switch's lock.
func (l *listener) do(m packet) (reply []byte, leave bool) {
	l.sw.mu.Lock()
	defer l.sw.mu.Unlock()
	if l.cut() { // Restart came first
		return nil, true
	}
	reply = l.command(m)
	if l.authed && l.channel == nil {
		l.conn.SetReadDeadline(time.Time{})
	}
	return reply, l.leave
}

// wait is the fault DelayReplies.
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

func (l *listener) setBusy(busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = busy
	l.wake.Broadcast()
}

// send writes one frame whole, or as much of it as CutFrame lets.
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

// disconnect says goodbye (mod_event_socket.c, send_disconnect).
func (l *listener) disconnect() {
	session := ""
	if l.channel != nil {
		session = "Controlled-Session-UUID: " + l.channel.uuid + "\nContent-Disposition: disconnect\n"
	}
	l.send(fmt.Appendf(nil, "Content-Type: text/disconnect-notice\n%sContent-Length: %d\n\n%s", session, len(goodbye), goodbye))
}

// push queues an event. A connection that reads too slowly is dropped.
func (l *listener) push(e *event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if len(l.queue) < maxQueue {
		l.queue, l.missed = append(l.queue, e), 0
		l.wake.Broadcast()
		return
	}
	if l.missed++; l.missed > maxMissed {
		l.closed = true
		l.conn.Close()
		l.wake.Broadcast()
	}
}

// pump writes queued events until the connection is closed.
func (l *listener) pump() {
	for {
		l.mu.Lock()
		for !l.closed && (len(l.queue) == 0 || l.busy) {
			l.wake.Wait()
		}
		if l.closed {
			l.mu.Unlock()
			return
		}
		e := l.queue[0]
		l.queue = l.queue[1:]
		l.writing = true
		l.mu.Unlock()
		l.sw.thaw()
		err := l.send(e.frame())
		l.mu.Lock()
		l.writing = false
		l.wake.Broadcast()
		l.mu.Unlock()
		if err != nil {
			l.close()
			return
		}
	}
}

// drained waits until the queue is written.
func (l *listener) drained() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && (l.writing || len(l.queue) > 0) {
		l.wake.Wait()
	}
}

// listen starts the pump with the first subscription. The switch's lock is held.
func (l *listener) listen() {
	l.events = true
	if !l.pumping && !l.sw.closed {
		l.pumping = true
		l.sw.wg.Go(l.pump)
	}
}

func (l *listener) subscribed(name, subclass string) bool {
	if !l.events {
		return false
	}
	if l.all {
		return true
	}
	return l.names[name] && (subclass == "" || name != "CUSTOM" || l.custom[subclass])
}

// wantsEvent is mod_event_socket.c, event_handler.
func (l *listener) wantsEvent(e *event) bool {
	if !l.subscribed(e.name, e.subclass) || !l.passesFilters(e) {
		return false
	}
	if l.myEvents != "" {
		uuid, _ := e.get("Unique-ID")
		owner, _ := e.get("Job-Owner-UUID")
		return uuid == l.myEvents || owner == l.myEvents
	}
	return true
}

func (l *listener) passesFilters(e *event) bool {
	if len(l.filters) == 0 {
		return true
	}
	pass := false
	for _, f := range l.filters {
		value, ok := e.get(f.name)
		if !ok {
			continue
		}
		want := strings.TrimLeft(f.value, "+- ")
		if !filterMatches(want, value) {
			continue
		}
		if strings.HasPrefix(f.value, "-") {
			return false
		}
		pass = true
	}
	return pass
}

func filterMatches(want, value string) bool {
	if expression, is := strings.CutPrefix(want, "/"); is {
		matched, err := regexp.MatchString(strings.TrimSuffix(expression, "/"), value)
		return err == nil && matched
	}
	return strings.EqualFold(want, value)
}

// packet is one command with its headers.
type packet struct {
	command string
	headers []header
	body    string
}

func (p packet) get(name string) string {
	for _, h := range p.headers {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

// readPacket reads a command: lines up to an empty one, and as many bytes more
// as a Content-Length says (mod_event_socket.c, read_packet).
func readPacket(in *bufio.Reader) (packet, error) {
	var p packet
	size := 0
	for {
		line, err := readLine(in, maxPacket-size)
		if err != nil {
			return p, err
		}
		size += len(line)
		if line == "" {
			if size == 0 {
				continue // line ends before a command are passed over
			}
			break
		}
		if p.command == "" {
			p.command = line
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok {
			p.headers = append(p.headers, header{name, strings.TrimLeft(value, " ")})
		}
	}
	return p, p.readBody(in)
}

func (p *packet) readBody(in io.Reader) error {
	n, err := strconv.Atoi(p.get("Content-Length"))
	if err != nil || n <= 0 {
		return nil
	}
	if n > maxPacket {
		return errTooLong
	}
	b := make([]byte, n)
	_, err = io.ReadFull(in, b)
	p.body = string(b)
	return err
}

var errTooLong = errors.New("packet too long")

func readLine(in *bufio.Reader, max int) (string, error) {
	var b []byte
	for {
		part, err := in.ReadSlice('\n')
		b = append(b, part...)
		if len(b) > max {
			return "", errTooLong
		}
		if err == nil {
			return strings.TrimRight(string(b), "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
}
