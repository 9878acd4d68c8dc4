package lab

import (
	"fmt"
	"io"
	"net"
	"sync"
)

// Proxy is the network between a Tapedeck and the event socket of a switch. It can be
// cut, and it can fall silent.
type Proxy struct {
	Port     int
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu    sync.Mutex
	state proxyState
	pairs map[net.Conn]net.Conn // from Tapedeck, to the switch
	moved chan struct{}         // closed and replaced when the state changes
}

type proxyState int

const (
	passing proxyState = iota
	cut                // connections are reset, and new ones refused
	silent             // nothing is passed on, and no connection is closed
	ended
)

// StartProxy passes connections on to a port.
func StartProxy(port int) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("lab: proxy: %w", err)
	}
	p := &Proxy{Port: ln.Addr().(*net.TCPAddr).Port, listener: ln, target: fmt.Sprintf("127.0.0.1:%d", port),
		pairs: map[net.Conn]net.Conn{}, moved: make(chan struct{})}
	p.running.Go(p.accept)
	return p, nil
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // Stop
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			reset(client)
			continue
		}
		p.mu.Lock()
		if p.state == cut || p.state == ended {
			reset(client)
			reset(server)
		} else {
			p.pairs[client] = server
			p.running.Go(func() { p.pass(server, client) })
			p.running.Go(func() { p.pass(client, server) })
		}
		p.mu.Unlock()
	}
}

// pass carries one direction. While the proxy is silent, it goes on reading.
func (p *Proxy) pass(to, from net.Conn) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if p.awaitVoice(); err != nil {
			if err == io.EOF {
				to.Close()
			} else {
				reset(to)
			}
			from.Close()
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			reset(from)
			reset(to)
			return
		}
	}
}

// awaitVoice waits while the proxy is silent.
func (p *Proxy) awaitVoice() {
	for {
		p.mu.Lock()
		state, moved := p.state, p.moved
		p.mu.Unlock()
		if state != silent {
			return
		}
		<-moved
	}
}

// Cut resets all connections, and refuses new ones until Mend.
func (p *Proxy) Cut() { p.become(cut, true) }

// Silence passes nothing on until Mend, and closes no connection. Mend then resets
// those connections.
func (p *Proxy) Silence() { p.become(silent, false) }

// Mend resets all connections and lets new ones pass. What was on the way is lost.
func (p *Proxy) Mend() { p.become(passing, true) }

// Stop ends the proxy.
func (p *Proxy) Stop() {
	p.listener.Close()
	p.become(ended, true)
	p.running.Wait()
}

func (p *Proxy) become(state proxyState, loses bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if loses {
		for client, server := range p.pairs {
			reset(client)
			reset(server)
		}
		clear(p.pairs)
	}
	p.state = state
	close(p.moved)
	p.moved = make(chan struct{})
}

// reset ends a connection with RST: what is on the way is lost.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
