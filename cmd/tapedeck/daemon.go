package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"tapedeck/call"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/metrics"
	"tapedeck/recording"
	"tapedeck/store"
	"tapedeck/store/calls"
)

// daemon is every part of a running Tapedeck.
type daemon struct {
	store       *store.Store
	archive     *recording.Archive
	desk        *call.Desk
	door        *door
	links       []*esl.Link
	addr        net.Addr // of the outbound socket
	metricsAddr net.Addr
	consoleAddr net.Addr // nil: there is no console
	parts       []*part  // running, in the order in which they were started
	failed      chan error
	log         *slog.Logger
}

// part is one running part.
type part struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
}

// start runs a part until stop. A part that ends by itself ends the daemon.
func (d *daemon) start(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &part{name: name, cancel: cancel, done: make(chan struct{})}
	d.parts = append(d.parts, p)
	go func() {
		defer close(p.done)
		if err := run(ctx); ctx.Err() == nil {
			select {
			case d.failed <- fmt.Errorf("%s: %w", name, err):
			default: // one cause is enough
			}
		}
	}()
}

// stop ends the parts in reverse order, each before the next: calls are taken
// no longer, those in hand are finished, recordings run on.
func (d *daemon) stop() {
	for i := len(d.parts) - 1; i >= 0; i-- {
		d.parts[i].cancel()
		<-d.parts[i].done
	}
	if err := d.store.Close(); err != nil {
		d.log.Warn("redis not closed", "error", err)
	}
}

// newDaemon builds and starts everything, the part that takes calls last.
func newDaemon(ctx context.Context, cfg *config, log *slog.Logger) (*daemon, error) {
	m := metrics.New()
	d := &daemon{failed: make(chan error, 1), log: log}
	at, err := listen(cfg)
	if err != nil {
		return nil, err
	}
	d.addr, d.metricsAddr = at.outbound.Addr(), at.metrics.Addr()
	d.door = &door{}
	d.store, err = store.Open(ctx, store.Config{Redis: cfg.Store.Redis.Reveal(), Logger: log, Observe: m.Store, OnUp: m.StoreUp,
		OnPolicy:  func(p *flow.Policy) { m.Policy(p.Revision) },
		OnLost:    func(organisation, id string) { d.desk.Lost(organisation, id) },
		OnOrphans: func(calls []calls.Call) { d.desk.Orphans(calls) },
		OnAsk:     d.door.answer})
	if err != nil {
		at.close()
		return nil, err
	}
	switches := map[string]call.Switch{}
	for _, s := range cfg.Switches {
		l := &esl.Link{Name: s.Name, Address: s.Address, Password: s.Password, Subscribe: call.Events, Logger: log}
		d.links = append(d.links, l)
		switches[s.Name] = l
		m.WatchUp(s.Name, false)
	}
	if err := os.Mkdir(cfg.dir.String(), 0o775); err != nil && !errors.Is(err, fs.ErrExist) {
		log.Warn("recordings.dir cannot be made: make it, and let FreeSWITCH's user write into it", "error", err)
	}
	d.archive = recording.NewArchive(recording.ArchiveConfig{Dir: cfg.dir, Log: log, OnError: func(string, error) { m.Problem(recording.Disk) }})
	past, err := d.archive.Drafts()
	if err != nil {
		log.Warn("drafts of recordings that were live are not readable", "error", err)
	}
	d.desk = call.NewDesk(call.Config{Policy: d.store.Policy, Recordings: cfg.dir, Stereo: cfg.Recordings.Stereo,
		Prompts: call.Prompts{Dir: cfg.Prompts.Dir, Language: cfg.Prompts.Language}, Switches: switches, Store: d.store,
		Archive: d.archive, Past: past, Meter: m, Log: log})
	d.door.desk, d.door.store = d.desk, d.store
	server := &esl.Server{Allow: cfg.Allow, Grace: grace, Handle: d.desk.Handle, Logger: log, Rejected: m.Rejected, Connections: m.Connections}

	watchPolicy := (&policyFile{path: cfg.Policy, named: cfg.policyNamed, store: d.store, meter: m, log: log}).run(ctx)
	d.start("store", d.store.Run)
	d.start("policy", watchPolicy)
	d.start("archive", d.archive.Run)
	d.start("maintenance", (&maintenance{cfg.dir, d.store, d.archive, d.desk, m, log}).run)
	d.start("metrics", serveHTTP(at.metrics, m.Handler(d.ready)))
	d.start("calls", d.desk.Run)
	for _, l := range d.links {
		l.OnConnect = func(ctx context.Context, conn *esl.Conn) error {
			m.WatchUp(l.Name, true)
			return d.desk.Connected(ctx, l.Name, conn)
		}
		l.OnDown = func(error) { m.WatchUp(l.Name, false) }
		l.OnEvent = func(ev *esl.Event) { d.desk.Watched(l.Name, ev) }
		d.start("watch link "+l.Name, l.Run)
	}
	d.start("outbound socket", func(ctx context.Context) error { return server.Serve(ctx, at.outbound) })
	if at.console != nil {
		d.consoleAddr = at.console.Addr()
		if err := d.startConsole(cfg, at.console, m, log); err != nil {
			_ = at.console.Close()
			d.stop()
			return nil, err
		}
	}
	log.Info("tapedeck serves", "socket", d.addr.String(), "metrics", d.metricsAddr.String(), "console", fmt.Sprint(d.consoleAddr), "switches", len(cfg.Switches))
	return d, nil
}

// grace is how long the outbound socket's calls in hand may take at the end;
// call itself lets none take longer than a quarter of it.
const grace = time.Second

// ready says why calls should not be sent here.
func (d *daemon) ready() error {
	if len(d.store.Policy().Organisations) == 0 {
		return errors.New("no policy yet: nothing would be recorded")
	}
	var down []string
	for _, l := range d.links {
		if !l.Up() {
			down = append(down, l.Name)
		}
	}
	if len(down) > 0 {
		return fmt.Errorf("no watch link to switch %s: the log says why", strings.Join(down, ", "))
	}
	return nil
}

func serveHTTP(ln net.Listener, h http.Handler) func(context.Context) error {
	return func(ctx context.Context) error {
		s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
		stop := context.AfterFunc(ctx, func() {
			graceful, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if s.Shutdown(graceful) != nil {
				_ = s.Close()
			}
		})
		defer stop()
		return s.Serve(ln)
	}
}
