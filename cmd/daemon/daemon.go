// Package daemon builds Tapedeck from its parts, starts them in order, and stops them
// in reverse.
package daemon

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
	"tapedeck/cmd/config"
	"tapedeck/cmd/maintenance"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/metrics"
	"tapedeck/recording"
	"tapedeck/store"
	"tapedeck/store/calls"
)

// Daemon is every part of a running Tapedeck.
type Daemon struct {
	store     *store.Store
	archive   *recording.Archive
	desk      *call.Desk
	liveCalls *liveCalls
	links     []*esl.Link
	addresses Addresses
	parts     []*part // running, in the order in which they were started
	failed    chan error
	log       *slog.Logger
}

// Addresses are where a daemon listens.
type Addresses struct {
	Socket  net.Addr // the outbound socket
	Metrics net.Addr
	Console net.Addr // nil: there is no console
}

// Run starts a daemon and stops it when ctx ends or one of its parts fails. The error
// says which part failed and why; nil means that ctx ended.
func Run(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	d, err := Start(ctx, cfg, log)
	if err != nil {
		return err
	}
	warnOfPrompts(cfg, log)
	select {
	case <-ctx.Done():
		log.Info("stopping: no more calls are taken, recordings run on")
	case err = <-d.failed:
	}
	d.Stop()
	return err
}

// Addresses returns where the daemon listens.
func (d *Daemon) Addresses() Addresses { return d.addresses }

// Policy returns the policy in force.
func (d *Daemon) Policy() *flow.Policy { return d.store.Policy() }

// Calls returns the live calls of all instances.
func (d *Daemon) Calls(ctx context.Context) ([]calls.Call, error) { return d.store.Calls(ctx) }

// part is one running part.
type part struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
}

// start runs a part until stop. A part that ends by itself ends the daemon.
func (d *Daemon) start(name string, run func(context.Context) error) {
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

// Stop ends the parts in reverse order, each before the next: no more calls are
// taken, those in hand are finished, recordings run on.
func (d *Daemon) Stop() {
	for i := len(d.parts) - 1; i >= 0; i-- {
		d.parts[i].cancel()
		<-d.parts[i].done
	}
	if err := d.store.Close(); err != nil {
		d.log.Warn("redis not closed", "error", err)
	}
}

// Start builds and starts every part. The caller has to Stop the daemon; ctx is for
// the start alone.
func Start(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Daemon, error) {
	m := metrics.New()
	d := &Daemon{failed: make(chan error, 1), log: log}
	at, err := listen(cfg)
	if err != nil {
		return nil, err
	}
	d.addresses = Addresses{Socket: at.outbound.Addr(), Metrics: at.metrics.Addr()}
	d.liveCalls = &liveCalls{}
	d.store, err = store.Open(ctx, store.Config{Redis: cfg.Store.Redis.Reveal(), Logger: log, Observe: m.Store, OnUp: m.StoreUp,
		OnPolicy:  func(p *flow.Policy) { m.Policy(p.Revision) },
		OnLost:    func(organisation, id string) { d.desk.Lost(organisation, id) },
		OnOrphans: func(calls []calls.Call) { d.desk.Orphans(calls) },
		OnAsk:     d.liveCalls.answer})
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
	if err := os.Mkdir(cfg.Recordings.Dir.String(), 0o775); err != nil && !errors.Is(err, fs.ErrExist) {
		log.Warn("recordings.dir cannot be made: make it, and let FreeSWITCH's user write into it", "error", err)
	}
	d.archive = recording.NewArchive(recording.ArchiveConfig{Dir: cfg.Recordings.Dir, Log: log, OnError: func(string, error) { m.Problem(recording.Disk) }})
	past, err := d.archive.Drafts()
	if err != nil {
		log.Warn("drafts of recordings that were live are not readable", "error", err)
	}
	d.desk = call.NewDesk(call.Config{Policy: d.store.Policy, Recordings: cfg.Recordings.Dir, Stereo: cfg.Recordings.Stereo,
		Prompts: call.Prompts{Dir: cfg.Prompts.Dir, Language: cfg.Prompts.Language}, Switches: switches, Store: d.store,
		Archive: d.archive, Past: past, Meter: m, Log: log})
	d.liveCalls.desk, d.liveCalls.store = d.desk, d.store
	server := &esl.Server{Allow: cfg.Allow, Grace: grace, Handle: d.desk.Handle, Logger: log, Rejected: m.Rejected, Connections: m.Connections}

	watchPolicy := (&policyFile{path: cfg.Policy, named: cfg.PolicyNamed, store: d.store, meter: m, log: log}).run(ctx)
	d.start("store", d.store.Run)
	d.start("policy", watchPolicy)
	d.start("archive", d.archive.Run)
	d.start("maintenance", maintenance.New(maintenance.Config{Dir: cfg.Recordings.Dir, Store: d.store, Archive: d.archive, Calls: d.desk, Meter: m, Log: log}).Run)
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
		d.addresses.Console = at.console.Addr()
		if err := d.startConsole(cfg, at.console, m, log); err != nil {
			_ = at.console.Close()
			d.Stop()
			return nil, err
		}
	}
	log.Info("tapedeck serves", "socket", d.addresses.Socket.String(), "metrics", d.addresses.Metrics.String(), "console", fmt.Sprint(d.addresses.Console), "switches", len(cfg.Switches))
	return d, nil
}

// grace is how long the outbound socket's calls in hand may take at the end;
// call itself lets none take longer than a quarter of it.
const grace = time.Second

// WaitReady waits until calls may be sent to the daemon, and after 10 s returns why
// not.
func (d *Daemon) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := d.ready()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// ready says why calls should not be sent here.
func (d *Daemon) ready() error {
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
