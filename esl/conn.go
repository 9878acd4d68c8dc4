package esl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A Conn is one event socket connection, outbound or inbound. Run reads from it
// and writes to it. Any goroutine may call the other methods, before, during and
// after Run.
type Conn struct {
	nc   net.Conn
	lim  Limits
	read *parser // used by Run only

	mu     sync.Mutex
	out    []byte  // to be written
	places []place // in order: the commands that have no reply yet, written or still in out
	events eventQueue
	err    error // why the connection ended

	wake    chan struct{} // out is not empty
	arrived chan struct{} // events is not empty
	greeted chan struct{} // closed by auth/request
	done    chan struct{} // closed when err is set
	unread  chan struct{} // closed when reading has ended and the parser is free

	greet sync.Once
	heard atomic.Int64 // when the peer last gave a sign of life, in Unix nanoseconds

	// onHeld, if set, is called by Run after each read, with what holds returns. It
	// is set before Run is called.
	onHeld  func(bytes int)
	partial atomic.Int64 // bytes that the parser holds
	quota   atomic.Int64 // bytes that the peer may send before it is a call; 0: no quota
}

// place is a command's place in the order of replies.
type place struct {
	batch *batch
	index int
}

// batch is the commands of one SendAll. Conn.mu guards it until done is closed.
// After its sender has given up, it still takes its replies: they must not go to
// later commands.
type batch struct {
	replies []Reply
	got     int
	done    chan struct{}
}

// NewConn makes a Conn of nc and owns nc from then on: Close closes it, and Run
// when it returns.
func NewConn(nc net.Conn, lim Limits) *Conn {
	c := &Conn{
		nc: nc, lim: lim.orDefaults(), read: newParser(lim),
		wake: make(chan struct{}, 1), arrived: make(chan struct{}, 1),
		greeted: make(chan struct{}), done: make(chan struct{}), unread: make(chan struct{}),
	}
	c.heard.Store(time.Now().UnixNano())
	return c
}

// Run serves the connection until it ends and returns why, for errors.Is:
// io.EOF if FreeSWITCH closed it between messages or sent its disconnect
// notice, io.ErrUnexpectedEOF if it closed within one, ErrProtocol, ErrLimit,
// ErrOverflow, ErrStalled, ErrACL, ErrClosed after Close, the context's cause,
// or the network's error. It may be called once.
func (c *Conn) Run(ctx context.Context) error {
	var writer sync.WaitGroup
	writer.Go(c.writeAll)
	stop := context.AfterFunc(ctx, func() { c.fail(fmt.Errorf("run: %w", context.Cause(ctx))) })
	c.fail(c.readAll())
	c.read = nil
	close(c.unread)
	stop()
	writer.Wait()
	return c.Err()
}

// Close ends the connection. What has not been written is lost.
func (c *Conn) Close() { c.fail(fmt.Errorf("%w here", ErrClosed)) }

// Err is why the connection ended, nil if it has not.
func (c *Conn) Err() error { return prefixed(c.cause()) }

func (c *Conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// RemoteAddr is the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// fail ends the connection, once.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
		c.places, c.out = nil, nil
		if errors.Is(err, errHeld) { // it was cut to free this memory
			c.events = eventQueue{}
		}
		close(c.done)
	}
	c.mu.Unlock()
	_ = c.nc.Close()
}

// Send writes one command and waits for its reply: until ctx ends or, if ctx has
// no deadline, for Limits.Reply. The error is nil if a reply came, even -ERR, and
// a *SendError otherwise. A reply that comes after Send has given up is dropped.
func (c *Conn) Send(ctx context.Context, cmd Command) (Reply, error) {
	replies, err := c.SendAll(ctx, []Command{cmd})
	if err != nil {
		return Reply{}, err
	}
	return replies[0], nil
}

// SendAll writes several commands in one piece and waits for all their replies,
// as Send does. If one command is refused, none is written. On an error it
// returns the replies that came; the *SendError says which command has none.
func (c *Conn) SendAll(ctx context.Context, cmds []Command) ([]Reply, error) {
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.lim.Reply)
		defer cancel()
	}
	return c.Post(ctx, cmds)()
}

// Post is SendAll that does not wait: the commands are written behind all that were
// posted before. The function that it returns waits for the replies, until ctx ends. It
// is called once.
func (c *Conn) Post(ctx context.Context, cmds []Command) (wait func() ([]Reply, error)) {
	for i, cmd := range cmds {
		if err := cmd.Validate(); err != nil {
			return failed(&SendError{Index: i, Name: cmd.Name(), Err: err})
		}
	}
	if len(cmds) == 0 {
		return failed(nil)
	}
	b, err := c.enqueue(ctx, cmds)
	if err != nil {
		return failed(&SendError{Name: cmds[0].Name(), Err: err})
	}
	return func() ([]Reply, error) { return c.await(ctx, b, cmds) }
}

// failed is the result of commands that were not written.
func failed(err error) func() ([]Reply, error) {
	return func() ([]Reply, error) { return nil, err }
}

// enqueue gives the commands to the writer in one piece, and notes their places.
func (c *Conn) enqueue(ctx context.Context, cmds []Command) (*batch, error) {
	size := 0
	for _, cmd := range cmds {
		size += len(cmd.wire()) + 2
	}
	b := &batch{replies: make([]Reply, len(cmds)), done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return nil, closedError(c.err)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case len(c.places)+len(cmds) > c.lim.Unanswered:
		return nil, fmt.Errorf("%w: %d commands have no reply", ErrStalled, len(c.places))
	case len(c.out)+size > maxOut:
		return nil, fmt.Errorf("%w: %d bytes are not written", ErrStalled, len(c.out))
	}
	for i, cmd := range cmds {
		c.out = append(append(c.out, cmd.wire()...), "\n\n"...)
		c.places = append(c.places, place{b, i})
	}
	signal(c.wake)
	return b, nil
}

// await waits for a batch's replies.
func (c *Conn) await(ctx context.Context, b *batch, cmds []Command) ([]Reply, error) {
	select {
	case <-b.done:
	case <-c.done:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var cause error
	switch { // more than one of the three may have happened
	case b.got == len(b.replies):
		return b.replies, nil
	case c.err != nil:
		cause = closedError(c.err)
	default:
		cause = fmt.Errorf("no reply: %w", context.Cause(ctx))
	}
	replies := append([]Reply(nil), b.replies[:b.got]...)
	return replies, &SendError{Index: b.got, Name: cmds[b.got].Name(), Err: cause}
}

// Next returns the next event, in the order in which FreeSWITCH sent them. After
// the connection has ended it returns the events that are left, and then an
// ErrClosed that wraps Err.
func (c *Conn) Next(ctx context.Context) (*Event, error) {
	for {
		if err := context.Cause(ctx); err != nil {
			return nil, fmt.Errorf("esl: next event: %w", err)
		}
		c.mu.Lock()
		e, more, err := c.events.pop(), c.events.len() > 0, c.err
		c.mu.Unlock()
		if more {
			signal(c.arrived)
		}
		if e != nil {
			return e, nil
		}
		if err != nil {
			return nil, fmt.Errorf("esl: next event: %w", closedError(err))
		}
		select {
		case <-c.arrived:
		case <-c.done:
		case <-ctx.Done():
		}
	}
}

// writeAll writes what the senders enqueue, everything that waits in one write.
func (c *Conn) writeAll() {
	var spare []byte
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		c.mu.Lock()
		text := c.out
		c.out = spare[:0]
		c.mu.Unlock()
		if err := c.write(text); err != nil {
			c.fail(err)
			return
		}
		if spare = text; cap(spare) > maxCommand {
			spare = nil
		}
	}
}

func (c *Conn) write(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.lim.Write)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	_, err := c.nc.Write(text)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("write: %w: nothing read for %v", ErrStalled, c.lim.Write)
	}
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// readSize is the size of one read: two events of a busy call.
const readSize = 16 << 10

// lifeSize is how many bytes of a message count as a sign of life, as a whole
// message does. A byte now and then is no sign of life.
const lifeSize = 4 << 10

// readAll reads and dispatches until the connection ends.
func (c *Conn) readAll() error {
	buffer := make([]byte, readSize)
	unheard := 0    // bytes since the last sign of life
	got := int64(0) // bytes, while there is a quota
	for {
		n, err := c.nc.Read(buffer)
		if n > 0 {
			if quota := c.quota.Load(); quota > 0 {
				if got += int64(n); got > quota {
					return limitError("%d bytes before the answer to connect", got)
				}
			}
			if unheard += n; unheard >= lifeSize {
				c.heard.Store(time.Now().UnixNano())
				unheard = 0
			}
			if err := c.take(buffer[:n]); err != nil {
				return err
			}
			c.reportHeld()
		}
		if errors.Is(err, io.EOF) {
			return endOf(c.read)
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
}

// take dispatches the frames that end within b. Each is a sign of life, noted
// before the frame is dispatched.
func (c *Conn) take(b []byte) error {
	for len(b) > 0 {
		n, f, done, err := c.read.feed(b)
		if err != nil {
			return err
		}
		if done {
			c.heard.Store(time.Now().UnixNano())
			if err := c.dispatch(f); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}

// reportHeld calls onHeld.
func (c *Conn) reportHeld() {
	if c.onHeld != nil {
		c.partial.Store(int64(c.read.held()))
		c.onHeld(c.holds())
	}
}

// holds is how many bytes the connection holds, in unfinished messages and in
// events that were not taken.
func (c *Conn) holds() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.events.bytes + int(c.partial.Load())
}

func (c *Conn) dispatch(f frame) error {
	switch f.kind {
	case kindEvent:
		return c.takeEvent(f)
	case kindReply, kindAPI:
		return c.takeReply(f)
	case kindAuth:
		c.greet.Do(func() { close(c.greeted) })
	case kindDisconnect:
		return c.takeNotice(f)
	case kindRejection:
		return fmt.Errorf("read: %w: %q", ErrACL, clip(string(bytes.TrimSpace(f.body))))
	case kindForeign:
		return protocolError("an event that is not plain: only `event plain` is supported")
	}
	return nil
}

func (c *Conn) takeEvent(f frame) error {
	e, err := newEvent(f.body, true, c.lim.Headers)
	if err != nil {
		return err
	}
	c.mu.Lock()
	ended := c.err
	ok := ended != nil || c.events.push(e, c.lim)
	waiting, held := c.events.len(), c.events.bytes
	c.mu.Unlock()
	if ended != nil {
		return ended
	}
	if !ok {
		return fmt.Errorf("read: %w: %d events of %d bytes wait", ErrOverflow, waiting, held)
	}
	signal(c.arrived)
	return nil
}

// takeReply gives a reply to the command at the first place.
func (c *Conn) takeReply(f frame) error {
	r, err := newReply(f, c.lim.Headers)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if len(c.places) == 0 {
		return protocolError("a reply with no command waiting: %q", clip(r.Text()))
	}
	p := c.places[0]
	c.places[0] = place{}
	if c.places = c.places[1:]; len(c.places) == 0 {
		c.places = nil
	}
	p.batch.replies[p.index] = r
	if p.batch.got++; p.batch.got == len(p.batch.replies) {
		close(p.batch.done)
	}
	return nil
}

// takeNotice ends the connection at a disconnect notice: FreeSWITCH sends nothing
// after it. Only with linger the connection goes on, until another notice
// (mod_event_socket.c, read_packet and send_disconnect).
func (c *Conn) takeNotice(f frame) error {
	head, err := newEvent(f.head, false, c.lim.Headers)
	if err != nil {
		return err
	}
	if head.Get("Content-Disposition") == "linger" {
		return nil
	}
	return fmt.Errorf("FreeSWITCH ended the connection: %q: %w", clip(string(bytes.TrimSpace(f.body))), io.EOF)
}

// signal wakes the goroutine that waits on ch, or the next one that does.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
