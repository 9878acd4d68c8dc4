// Package esltest simulates a FreeSWITCH, for tests and demonstrations: it speaks
// both sides of the event socket, keeps channels, bridges and recordings, and
// writes real WAV files. It knows nothing of SIP: a call is made by calling
// methods.
//
// It is written from FreeSWITCH's sources (1.10.12) and from captured sessions
// (internal/wire). It shares no code with the package esl, so that we do not make
// the same mistake on both sides of the wire.
//
// What it has not: a dialplan (the caller's code is the dialplan), media other
// than one tone for each leg, `event json` and `event xml`.
package esltest

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Options describe the FreeSWITCH. Every field has a default.
type Options struct {
	Name     string       // FreeSWITCH-Switchname and -Hostname; default "fs1"
	Password string       // of the inbound event socket; default "ClueCon"
	Logger   *slog.Logger // default: none
	Clock    Clock        // default: RealTime
	Start    time.Time    // where a Manual clock begins; default: now

	// Blocks lets the files of recordings grow in whole blocks of 64 KB with a
	// Manual clock too, as FreeSWITCH writes them. Without it, and with a Manual
	// clock, they hold everything up to the last Talk, so that a test can listen to
	// them.
	Blocks bool

	// RecordTemplate is the profile's record-template: the path, with ${uuid}, to
	// which a phone's record key records. If it is empty, the key is refused (488).
	RecordTemplate string
}

// Switch is one simulated FreeSWITCH. Any goroutine may call its methods. Close
// ends everything that it started.
type Switch struct {
	options Options
	log     *slog.Logger
	life    context.Context // ends with Close
	end     context.CancelFunc
	wg      sync.WaitGroup

	mu        sync.Mutex // guards everything below, and all channels
	core      string
	clock     clock
	closed    bool
	sequence  uint64
	sessions  int // ever created
	channels  map[string]*Channel
	rooms     map[string]*room // by their name
	order     []*Channel       // live ones, oldest first
	listeners map[*listener]struct{}
	sockets   []net.Listener
	faults    faults
	told      *told // nil: not checked
}

// New makes a switch without channels. It takes no connections before Listen.
func New(o Options) *Switch {
	if o.Name == "" {
		o.Name = "fs1"
	}
	if o.Password == "" {
		o.Password = "ClueCon"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Start.IsZero() {
		o.Start = time.Now()
	}
	s := &Switch{
		options:   o,
		core:      newUUID(),
		log:       o.Logger,
		channels:  map[string]*Channel{},
		rooms:     map[string]*room{},
		listeners: map[*listener]struct{}{},
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.clock = clock{manual: o.Clock == Manual, epoch: o.Start, at: o.Start}
	if !s.clock.manual {
		s.clock.epoch = time.Now()
	}
	return s
}

// CoreUUID is the id of this run of the switch, which `global_getvar core_uuid`
// and every event have.
func (s *Switch) CoreUUID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core
}

// Listen opens an inbound event socket (mod_event_socket's listen-port) and
// returns its address. More than one may be opened.
func (s *Switch) Listen(address string) (string, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		ln.Close()
		return "", net.ErrClosed
	}
	s.sockets = append(s.sockets, ln)
	s.wg.Go(func() { s.accept(ln) })
	return ln.Addr().String(), nil
}

func (s *Switch) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			conn.Close()
			return
		}
		l := newListener(s, conn, nil)
		s.wg.Go(l.serveInbound)
		s.mu.Unlock()
	}
}

// StopListening closes the inbound event sockets to new connections. Open
// connections stay.
func (s *Switch) StopListening() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ln := range s.sockets {
		ln.Close()
	}
	s.sockets = nil
}

// DropLinks cuts every inbound connection without a notice, as a crash or a
// firewall does.
func (s *Switch) DropLinks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		if l.channel == nil {
			l.close()
		}
	}
}

// Links is the number of inbound connections that have authenticated.
func (s *Switch) Links() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links()
}

// links is Links. The caller holds the lock.
func (s *Switch) links() (n int) {
	for l := range s.listeners {
		if l.channel == nil && l.authed {
			n++
		}
	}
	return n
}

// Channel finds a live channel.
func (s *Switch) Channel(uuid string) (*Channel, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.channels[uuid]
	return c, ok
}

// Channels are the live channels, oldest first.
func (s *Switch) Channels() []*Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Channel(nil), s.order...)
}

// Close stops the switch: connections end, no more events come, the files of
// running recordings are completed. It waits until every goroutine has ended and
// every Socket has returned. (Restart leaves the files as a kill does.)
func (s *Switch) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		s.end()
		for _, ln := range s.sockets {
			ln.Close()
		}
		for l := range s.listeners {
			l.close()
		}
		for _, c := range s.order {
			for _, r := range c.recordings {
				r.settle()
				r.finish()
			}
			c.recordings = nil
		}
		s.stopAlarms()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}
