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
	"tapedeck/cmd/proof"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/metrics"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/recording/worker"
	"tapedeck/store/calls"
)

// Daemon is a running Tapedeck.
type Daemon struct {
	stores    *stores
	links     []*esl.Link // one for each switch of the daemon file
	liveCalls *liveCalls
	addresses Addresses
	parts     *parts
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
	case err = <-d.parts.failed:
	}
	d.Stop()
	return err
}

// Addresses returns where the daemon listens.
func (d *Daemon) Addresses() Addresses { return d.addresses }

// Policy returns the policy in force.
func (d *Daemon) Policy() *flow.Policy { return d.stores.policy.Policy() }

// Calls returns the live calls of all instances.
func (d *Daemon) Calls(ctx context.Context) ([]calls.Call, error) { return d.stores.calls.List(ctx) }

// Stop ends everything in the reverse order of its start: no more calls are taken,
// those in hand are finished, recordings run on.
func (d *Daemon) Stop() { d.parts.stop() }

// Start builds a daemon and starts its parts; the one that takes calls is the last but
// the console. The caller has to Stop it. ctx is for the start alone.
func Start(ctx context.Context, cfg *config.Config, log *slog.Logger) (started *Daemon, err error) {
	d := &Daemon{parts: newParts(), log: log}
	defer func() {
		if err != nil {
			d.Stop()
		}
	}()
	m := metrics.New()
	at, err := listen(cfg)
	if err != nil {
		return nil, err
	}
	d.parts.atStop(at.close)
	d.addresses = at.addresses()
	makeFolder(cfg, log)
	keeper := proof.NewKeeper(cfg, m.Evidence, log)
	forged := func(record string) { m.Forged(record); keeper.Forged(record) }
	if d.stores, err = openStores(ctx, cfg, forged, m, log); err != nil {
		return nil, err
	}
	d.parts.atStop(d.closeStore)
	shop := d.openWorkshop(cfg, m)
	archive, drafts := openArchive(cfg, shop, keeper.Audit(), m, log)
	d.links = newLinks(cfg, m, log)
	controller := call.New(call.Config{Policy: d.stores.policy.Policy, Recordings: cfg.Recordings.Dir, Stereo: cfg.Recordings.Stereo, Rate: cfg.Recordings.Rate,
		Prompts: call.Prompts{Dir: cfg.Prompts.Dir, Language: cfg.Prompts.Language}, Switches: switches(d.links), Calls: d.stores.calls, Index: d.stores.index,
		SocketSecret: cfg.SocketSecret, EntryDeadline: cfg.EntryDeadline, Stranger: keeper.Stranger, Archive: archive, Drafts: drafts, Meter: m, Log: log})
	d.liveCalls = &liveCalls{here: controller, calls: d.stores.calls, peers: d.stores.peers}
	d.stores.policy.Follow(func(p *flow.Policy) { m.Policy(p.Revision); keeper.PolicyInForce(p, "redis") })
	d.stores.calls.Follow(controller)
	d.stores.peers.Handle(d.liveCalls.answer)
	server := &esl.Server{Allow: cfg.Allow, Grace: grace, Handle: controller.Handle, Logger: log, Rejected: m.Rejected, Connections: m.Connections}
	upkeep := maintenance.New(maintenance.Config{Dir: cfg.Recordings.Dir, Policy: d.stores.policy.Policy, Index: d.stores.index,
		Live: d.stores.calls, Alone: d.stores.conn.Alone(), Archive: archive, Audit: keeper.Audit(), Calls: controller, Meter: m, Log: log})
	var web *webConsole
	if at.console != nil {
		if web, err = newWebConsole(cfg, shop, d.stores, d.liveCalls, keeper, m, log); err != nil {
			return nil, err
		}
	}
	policy := &policyFile{path: cfg.Policy, named: cfg.PolicyNamed, store: d.stores.policy, meter: m, changed: keeper.PolicyInForce, log: log}
	policy.begin(ctx)

	d.parts.start("store", d.stores.conn.Run)
	d.parts.start("evidence", keeper.Run)
	d.parts.start("policy", policy.run)
	d.parts.start("archive", archive.Run)
	d.parts.start("maintenance", upkeep.Run)
	d.parts.start("metrics", serveHTTP(at.metrics, &http.Server{Handler: m.Handler(d.ready), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}))
	d.parts.start("calls", controller.Run)
	for _, l := range d.links {
		watch(l, controller, m)
		d.parts.start("watch link "+l.Name, l.Run)
	}
	d.parts.start("outbound socket", func(ctx context.Context) error { return server.Serve(ctx, at.outbound) })
	if web != nil {
		d.parts.start("accounts", web.accounts.Run)
		d.parts.start("console", web.console.Run)
		d.parts.start("web", serveHTTP(at.console, web.server))
	}
	log.Info("tapedeck serves", "socket", d.addresses.Socket.String(), "metrics", d.addresses.Metrics.String(),
		"console", fmt.Sprint(d.addresses.Console), "switches", len(d.links))
	return d, nil
}

func (d *Daemon) closeStore() {
	if err := d.stores.conn.Close(); err != nil {
		d.log.Warn("redis not closed", "error", err)
	}
}

// makeFolder makes the recordings' folder if it is not there.
func makeFolder(cfg *config.Config, log *slog.Logger) {
	dir := cfg.Recordings.Dir
	if err := os.Mkdir(dir.String(), 0o770); err != nil && !errors.Is(err, fs.ErrExist) {
		log.Warn("recordings.dir cannot be made: make it, and let FreeSWITCH's user write into it", "error", err)
	}
	if dir.OthersMayEnter() {
		log.Warn("others may enter the folder of the recordings: chmod o= it", "folder", dir.String())
	}
}

// openWorkshop returns what works on sounds: processes of the lowest priority, if this
// program can be started as one.
func (d *Daemon) openWorkshop(cfg *config.Config, m *metrics.Metrics) recording.Workshop {
	if !cfg.Workers {
		return recording.InProcess{}
	}
	workers := worker.New(worker.Config{Failed: m.WorkerFailed, Log: d.log})
	d.parts.atStop(workers.Close)
	return workers
}

// openArchive returns the archive and the drafts of recordings that were live when
// another Tapedeck ended.
func openArchive(cfg *config.Config, shop recording.Workshop, lines *audit.Log, m *metrics.Metrics, log *slog.Logger) (*recording.Archive, []recording.Sidecar) {
	archive := recording.NewArchive(recording.ArchiveConfig{Dir: cfg.Recordings.Dir, Evidence: lines.Evidence(), Workshop: shop, Log: log, OnError: func(string, error) { m.Problem(recording.Disk) }})
	drafts, err := archive.Drafts()
	if err != nil {
		log.Warn("drafts of recordings that were live are not readable", "error", err)
	}
	return archive, drafts
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
	if len(d.stores.policy.Policy().Organisations) == 0 {
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
