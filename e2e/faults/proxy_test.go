package faults

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"time"
)

// proxy is the network between an instance and a server: it can be cut, cut after
// some bytes, or stand still.
type proxy struct {
	listener net.Listener
	target   string
	sent     func(line string) // each line that the client sent, when it goes on to the server; may be nil

	mu      sync.Mutex
	changed *sync.Cond
	refuses bool
	stalled bool
	cutting int // cut the next connection that gets so many bytes from the server; 0: none
	pairs   map[net.Conn]net.Conn
	closed  bool
	wg      sync.WaitGroup
}

func newProxy(address, target string, sent func(string)) (*proxy, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: ln, target: target, sent: sent, pairs: map[net.Conn]net.Conn{}}
	p.changed = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	return p, nil
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuses := p.refuses || p.closed
		p.mu.Unlock()
		if refuses {
			reset(client)
			continue
		}
		server, err := net.DialTimeout("tcp", p.target, time.Second)
		if err != nil {
			reset(client)
			continue
		}
		p.mu.Lock()
		p.pairs[client] = server
		if p.closed {
			p.drop()
		}
		p.wg.Go(func() { p.pump(server, client, true) })
		p.wg.Go(func() { p.pump(client, server, false) })
		p.mu.Unlock()
	}
}

// pump carries one direction.
func (p *proxy) pump(to, from net.Conn, toServer bool) {
	defer reset(to)
	defer reset(from)
	buffer := make([]byte, 4096)
	var line bytes.Buffer
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			n = p.gate(n, toServer)
			if n <= 0 {
				if _, err := to.Write(buffer[:-n]); err == nil {
					time.Sleep(time.Millisecond) // let them be read before the reset
				}
				return
			}
			if toServer && p.sent != nil {
				p.lines(&line, buffer[:n])
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			p.gate(1, toServer) // the end is no faster than the data
			return
		}
	}
}

// gate waits while the line stands still. It returns how many bytes may pass; if
// that is not positive, the connection is cut after as many as its negative.
func (p *proxy) gate(n int, toServer bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.stalled && !p.closed {
		p.changed.Wait()
	}
	if toServer || p.cutting == 0 {
		return n
	}
	if n < p.cutting {
		p.cutting -= n
		return n
	}
	cut := p.cutting
	p.cutting = 0
	return -cut + 0
}

// lines tells of the whole lines so far.
func (p *proxy) lines(line *bytes.Buffer, b []byte) {
	for _, c := range b {
		if c != '\n' {
			line.WriteByte(c)
			continue
		}
		if line.Len() > 0 {
			p.sent(line.String())
			line.Reset()
		}
	}
}

// set changes how the line is; a line that stood still and is cut meanwhile has
// lost what was on it.
func (p *proxy) set(refuses, stalled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = refuses
	if refuses {
		p.drop()
	}
	p.stalled = stalled
	p.changed.Broadcast()
}

// cutAfter cuts the connection that gets the nth byte from now.
func (p *proxy) cutAfter(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutting = n
}

// drop resets all connections. The lock is held.
func (p *proxy) drop() {
	for client, server := range p.pairs {
		reset(client)
		reset(server)
		delete(p.pairs, client)
	}
}

func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.drop()
	p.changed.Broadcast()
	p.mu.Unlock()
	p.wg.Wait()
}

// reset ends a connection as a crash does: what is on the way is lost.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}
