package faults

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"time"
)

// proxy is the network between an instance and a server. It can be cut, cut after
// some bytes, or stalled.
type proxy struct {
	listener net.Listener
	target   string
	dialer   net.Dialer
	sent     func(line string) // gets each line that the client sends, when it is passed on; may be nil

	mu      sync.Mutex
	changed *sync.Cond
	refuses bool
	stalled bool
	cutting int // cut the next connection that gets so many bytes from the server; 0: none
	pairs   map[net.Conn]net.Conn
	closed  bool
	wg      sync.WaitGroup
}

// newProxy makes a proxy that listens on address, and connects to target from the IP
// address from; "": from any.
func newProxy(address, target, from string, sent func(string)) (*proxy, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: ln, target: target, sent: sent, pairs: map[net.Conn]net.Conn{}, dialer: net.Dialer{Timeout: time.Second}}
	if from != "" {
		p.dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
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
		server, err := p.dialer.Dial("tcp", p.target)
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
			p.gate(1, toServer) // the end must not overtake the data
			return
		}
	}
}

// gate waits while the proxy is stalled. It returns how many bytes may pass. If that is
// not positive, the connection is to be cut after as many bytes as its negative.
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

// lines calls sent for each whole line.
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

// set changes whether the proxy refuses connections (and resets those that there are)
// and whether it is stalled. A stalled connection that is reset loses its data.
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

// cutAfter cuts the connection that gets the n-th byte from the server; 0: none.
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

// reset ends a connection with RST: what is on the way is lost.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}
