package esltest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// SocketStats is what happened on one outbound socket.
type SocketStats struct {
	Connect  time.Duration // until the TCP connection stood
	Total    time.Duration // from the start of Socket to its end
	Commands int           // how many were run, with connect and exit
	Exit     bool          // it ended with the controller's exit
}

// ErrNoController: no host took the connection. The dialplan goes on.
var ErrNoController = errors.New("no controller took the connection")

// Socket runs the dialplan action `socket <address> full`, synchronously: it
// connects, waits up to 25 s for `connect`, sends the channel's data and runs one
// command after the other, until `exit`, or until the connection, the channel or
// ctx ends. address is host:port, may have a /path, and may be several of these with
// `|` between them, which are tried in turn. A ` full` at its end is ignored.
//
// The error is for tests and statistics. FreeSWITCH logs it and goes on with the
// dialplan.
func (c *Channel) Socket(ctx context.Context, address string) (SocketStats, error) {
	var stats SocketStats
	start := time.Now()
	address = strings.TrimSuffix(address, " full")
	if !c.enter(address) {
		return stats, fmt.Errorf("esltest: socket: the channel has hung up or the switch is closed")
	}
	defer c.sw.wg.Done()
	conn, err := c.connectTo(ctx, address)
	stats.Connect = time.Since(start)
	if err != nil {
		stats.Total = stats.Connect
		return stats, err
	}
	l, ok := c.control(conn)
	if !ok {
		conn.Close()
		return stats, fmt.Errorf("esltest: socket: the switch is closed")
	}
	stop := l.watch(ctx)
	stats.Commands, stats.Exit, err = l.serveOutbound()
	stop()
	l.unregister()
	stats.Total = time.Since(start)
	return stats, err
}

// enter makes Close wait for this Socket, and sets the application's variables.
func (c *Channel) enter(address string) bool {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.sw.closed || c.down {
		return false
	}
	c.sw.wg.Add(1)
	c.state = "CS_EXECUTE"
	c.vars.set("current_application_data", address+" full")
	c.vars.set("current_application", "socket")
	return true
}

// connectTo tries the hosts in turn (mod_event_socket.c, socket_function).
func (c *Channel) connectTo(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.sw.life, cancel)()
	err := ErrNoController
	for _, host := range strings.Split(address, "|") {
		hostPort, path, hasPath := strings.Cut(host, "/")
		if !strings.Contains(hostPort, ":") {
			hostPort += ":8084"
		}
		name, _, _ := net.SplitHostPort(hostPort)
		c.sw.mu.Lock()
		if hasPath {
			c.vars.set("socket_path", path)
		}
		c.vars.set("socket_host", name)
		c.sw.mu.Unlock()
		conn, dialErr := dialer.DialContext(ctx, "tcp", hostPort)
		if dialErr == nil {
			return conn, nil
		}
		err = fmt.Errorf("%w: %w", ErrNoController, dialErr)
	}
	return nil, fmt.Errorf("esltest: socket: %w", err)
}

// control registers the connection. It reports false if the switch is closed.
func (c *Channel) control(conn net.Conn) (*listener, bool) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.sw.closed {
		return nil, false
	}
	return newListener(c.sw, conn, c), true
}

// watch ends the connection when the channel hangs up, or when ctx or the switch
// ends. stop ends watch and waits for its end.
func (l *listener) watch(ctx context.Context) (stop func()) {
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-ended:
		case <-ctx.Done():
			l.close()
		case <-l.sw.life.Done():
			l.close()
		case <-l.channel.done:
			l.hangupSeen(ended)
		}
	}()
	return func() {
		close(ended)
		<-stopped
	}
}

// hangupSeen lingers if the controller asked for it, and then stops the reading, so
// that serveOutbound disconnects.
func (l *listener) hangupSeen(ended chan struct{}) {
	l.sw.mu.Lock()
	linger, seconds, name := l.linger, l.lingerS, l.channel.profile.channelName
	l.sw.mu.Unlock()
	if linger {
		l.send(fmt.Appendf(nil, "Content-Type: text/disconnect-notice\nControlled-Session-UUID: %s\n"+
			"Content-Disposition: linger\nChannel-Name: %s\nLinger-Time: %d\nContent-Length: 0\n\n", l.channel.uuid, name, seconds))
		var expired <-chan time.Time
		if seconds >= 0 {
			t := time.NewTimer(time.Duration(seconds) * time.Second)
			defer t.Stop()
			expired = t.C
		}
		select {
		case <-expired:
		case <-ended:
		case <-l.sw.life.Done():
		}
	}
	l.conn.SetReadDeadline(time.Unix(1, 0))
}

// serveOutbound serves an outbound socket to its end (mod_event_socket.c,
// listener_run). If the controller closes the connection, it returns an error, for
// the statistics; FreeSWITCH has none then.
func (l *listener) serveOutbound() (commands int, exit bool, err error) {
	l.conn.SetReadDeadline(time.Now().Add(firstPacket))
	for first := true; ; first = false {
		p, err := readPacket(l.in)
		if err != nil {
			l.disconnect()
			return commands, false, l.outcome(err)
		}
		if first {
			l.undoDeadline()
		}
		l.sw.thaw()
		l.setBusy(true)
		reply, leave := l.do(p)
		l.wait()
		err = l.send(reply)
		l.setBusy(false)
		commands++
		if leave || err != nil {
			l.disconnect()
			return commands, leave, err
		}
	}
}

// undoDeadline lets the next command take any time, unless the channel has hung up
// meanwhile.
func (l *listener) undoDeadline() {
	l.conn.SetReadDeadline(time.Time{})
	select {
	case <-l.channel.done:
		if !l.linger {
			l.conn.SetReadDeadline(time.Unix(1, 0))
		}
	default:
	}
}

// outcome is nil if the channel's hangup ended the reading.
func (l *listener) outcome(err error) error {
	select {
	case <-l.channel.done:
		return nil
	default:
		return fmt.Errorf("esltest: socket: %w", err)
	}
}
