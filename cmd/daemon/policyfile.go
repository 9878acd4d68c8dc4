package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tapedeck/flow"
	"tapedeck/metrics"
	"tapedeck/store/policy"
)

// policyFile puts the policy file in force at the start, and again whenever it has a new
// policy that is valid. Between two changes of the file, a policy that another instance or
// `policy apply` puts into Redis stays in force.
type policyFile struct {
	path    string
	named   bool // the daemon file names it, so it should be there
	store   *policy.Store
	meter   *metrics.Metrics
	changed func(p *flow.Policy, from string) // is told of each policy that the file puts in force
	log     *slog.Logger
	seen    string // fingerprint of the file when it was read last
	last    string // revision of the last valid policy in it
}

// pollPolicy is how often the file is looked at. Polling notices every kind of change, on
// every file system.
const pollPolicy = time.Second

// begin reads the policy for the first time, so that the first call finds it.
func (f *policyFile) begin(ctx context.Context) {
	f.look(ctx)
	f.meter.Policy(f.store.Policy().Revision)
}

// run looks for changes until ctx ends.
func (f *policyFile) run(ctx context.Context) error {
	tick := time.NewTicker(pollPolicy)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.look(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// look reads the file if it changed. A policy with mistakes is refused as a whole, and the
// running one stays. A policy that the file had before is not put in force again, because
// another one may have been applied since.
func (f *policyFile) look(ctx context.Context) {
	now, err := fingerprint(f.path)
	if now == f.seen {
		return
	}
	f.seen = now
	if err != nil {
		f.absent(err)
		return
	}
	p, err := flow.Load(f.path)
	if err != nil {
		message := "policy refused, the running one stays"
		if !f.inForce() {
			message = "policy refused, and none is in force: no call is recorded"
		}
		for line := range strings.Lines(err.Error()) {
			f.log.Error(message, "mistake", strings.TrimSpace(line))
		}
		return
	}
	running := f.store.Policy().Revision
	if p.Revision == f.last {
		f.log.Info("policy file says what it said before: the running policy stays", "revision", running)
		return
	}
	f.last = p.Revision
	if err := f.store.Apply(ctx, p); err != nil {
		f.log.Warn("policy in force here, not yet in redis", "error", err)
	}
	f.meter.Policy(p.Revision)
	f.changed(p, "policy file")
	f.log.Info("policy in force", "revision", p.Revision, "replaces", running, "organisations", len(p.Organisations))
}

// inForce reports whether a policy is in force.
func (f *policyFile) inForce() bool { return len(f.store.Policy().Organisations) > 0 }

// absent logs that the file cannot be read.
func (f *policyFile) absent(err error) {
	if !f.inForce() {
		f.log.Error("no policy is in force: no call is recorded until this file is there, or policy apply has put one into redis",
			"file", f.path, "error", err)
		return
	}
	if errors.Is(err, fs.ErrNotExist) && !f.named {
		f.log.Warn("no policy file: what is in redis stays in force", "file", f.path)
		return
	}
	f.log.Error("policy file not read: the running policy stays", "error", err)
}

// fingerprint returns names, sizes and times of a file, or of the policy files in a folder,
// and whether each can be read. (A chown changes only the latter.)
func fingerprint(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error(), err
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.yaml")); err != nil {
			return err.Error(), err
		}
	}
	var b strings.Builder
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			return err.Error(), err
		}
		file, err := os.Open(name)
		if err == nil {
			_ = file.Close()
		}
		fmt.Fprintf(&b, "%s %d %d %v\n", name, info.Size(), info.ModTime().UnixNano(), err)
	}
	return b.String(), nil
}
