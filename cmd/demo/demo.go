// Package demo shows Tapedeck at work without a FreeSWITCH and without a Redis.
package demo

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"text/tabwriter"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/cmd/daemon"
	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/recording"
)

//go:embed policy.yaml
var examplePolicy []byte

// Options are what a person chooses about a demo.
type Options struct {
	Once    bool   // place every call once, then end
	Dir     string // for the recordings; empty: a new folder below the system's temporary one
	Verbose bool   // print all of Tapedeck's log
}

// Run runs a whole Tapedeck in this process, with an embedded Redis and a simulated
// FreeSWITCH that places calls and writes real WAV files, until ctx ends or, with
// Once, until every call has ended. It prints what came of each call to stdout and
// the log to stderr.
func Run(ctx context.Context, o Options, stdout, stderr io.Writer) error {
	log, started := newLog(stderr, o.Verbose)
	s, err := newStage(ctx, o.Dir, log)
	if err != nil {
		return err
	}
	started()
	defer s.close()
	s.introduce(stdout, o.Once)
	err = s.round(ctx, stdout)
	switch {
	case ctx.Err() != nil && o.Once:
		return errors.New("interrupted before every call had ended")
	case ctx.Err() != nil: // Ctrl-C is how a person ends it
		return nil
	case err != nil || o.Once:
		return err
	}
	fmt.Fprintf(stdout, "Now calls come and go (Ctrl-C ends the demo).\n")
	s.comeAndGo(ctx, stdout, mostCalls)
	<-ctx.Done()
	return nil
}

// introduce prints where to look: console, policy, recordings, metrics.
func (s *stage) introduce(stdout io.Writer, once bool) {
	until := ""
	if once {
		until = "(until the calls have ended)   "
	}
	fmt.Fprintf(stdout, "Tapedeck and a simulated FreeSWITCH are running.\n"+
		"  console     http://%s/   %saccount %s, password %s (or %s; all with this password)\n"+
		"  policy      %s (edit it: the next calls follow it)\n  recordings  %s\n  metrics     http://%s/metrics\n"+
		"  try         %s recordings ls --config %s\n\n"+
		"The outside party is heard as %d Hz; alice %d, bob %d, carol %d, dave %d Hz.\n\n",
		s.daemon.Addresses().Console, until, accounts[0].Name, s.password, otherAccounts(), s.policy, s.dir, s.daemon.Addresses().Metrics,
		os.Args[0], s.daemonFile(), outsideHz, phones["1001"], phones["1002"], phones["1003"], phones["1004"])
}

// Everybody is heard as a tone, in Hz.
const outsideHz = 440

var phones = map[string]int{"1001": 880, "1002": 1320, "1003": 1760, "1004": 2200}

// stage is the daemon, its switch, and their files.
type stage struct {
	daemon      *daemon.Daemon
	sw          *esltest.Switch
	office      *esltest.Office
	arriving    sync.Mutex // held while a call is on its way to the socket
	dir, policy string
	password    string // of every account
}

// newStage starts everything on free loopback ports.
func newStage(ctx context.Context, dir string, log *slog.Logger) (*stage, error) {
	s := &stage{dir: dir}
	if err := errors.Join(s.makeFolder(), s.makeAccounts()); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	s.sw = esltest.New(esltest.Options{Logger: log})
	address, err := s.sw.Listen("127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("demo: %w", err), s.sw.Close())
	}
	cfg := config.Default()
	cfg.Listen, cfg.Metrics.Listen, cfg.HTTP.Listen = "127.0.0.1:0", "127.0.0.1:0", freeOr(cfg.HTTP.Listen)
	cfg.HTTP.Accounts = filepath.Join(s.dir, "accounts.yaml")
	cfg.Policy, cfg.PolicyNamed = s.policy, true
	cfg.EntryDeadline = 5 * time.Second // nobody waits for these calls, and the machine may be a busy one
	cfg.Audit.Dir, cfg.Audit.Key = s.dir+"-audit", filepath.Join(s.dir+"-audit", "audit.key")
	cfg.Switches = []config.Switch{{Name: "demo", Address: address, Password: esl.NewSecret("ClueCon")}}
	if cfg.Recordings.Dir, err = recording.NewDir(s.dir); err != nil {
		return nil, errors.Join(err, s.sw.Close())
	}
	if s.daemon, err = daemon.Start(ctx, cfg, log); err != nil {
		return nil, errors.Join(err, s.sw.Close())
	}
	if err := cmp.Or(s.writeDaemonFile(cfg), s.daemon.WaitReady(ctx)); err != nil {
		s.close()
		return nil, fmt.Errorf("demo: %w", err)
	}
	s.office = &esltest.Office{Switch: s.sw, Socket: s.daemon.Addresses().Socket.String(), Domain: "acme.example.net",
		Outside: "+447700900123", ToneHz: outsideHz, Phones: phones}
	return s, nil
}

// makeFolder makes the folder of the recordings, and puts the example policy into it unless
// it has a policy already.
func (s *stage) makeFolder() (err error) {
	if s.dir == "" {
		s.dir, err = os.MkdirTemp("", "tapedeck-demo-")
	} else if s.dir, err = filepath.Abs(s.dir); err == nil {
		err = os.MkdirAll(s.dir, 0o755)
	}
	if err != nil {
		return err
	}
	s.policy = filepath.Join(s.dir, "policy.yaml")
	if _, err := os.Stat(s.policy); err == nil {
		return nil
	}
	return os.WriteFile(s.policy, examplePolicy, 0o644)
}

func (s *stage) daemonFile() string { return filepath.Join(s.dir, "tapedeck.yaml") }

// writeDaemonFile writes a daemon file, with which other commands find the recordings.
func (s *stage) writeDaemonFile(cfg *config.Config) error {
	text := fmt.Sprintf("# The daemon file of `tapedeck demo`; each run writes it anew.\n"+
		"recordings: { dir: %q }\naudit: { dir: %q, key: %q }\npolicy: %q\nhttp: { listen: %q, accounts: %q }\n",
		s.dir, cfg.Audit.Dir, cfg.Audit.Key, s.policy, s.daemon.Addresses().Console.String(), cfg.HTTP.Accounts)
	return os.WriteFile(s.daemonFile(), []byte(text), 0o644)
}

func (s *stage) close() {
	s.daemon.Stop()
	_ = s.sw.Close() // it has no state to lose
}

// round places all example calls, which talk at the same time, and prints the result of each
// in their order.
func (s *stage) round(ctx context.Context, stdout io.Writer) error {
	fmt.Fprintf(stdout, "%s: %d calls\n", time.Now().Format(time.TimeOnly), len(exampleCalls))
	results := make([]string, len(exampleCalls))
	errs := make([]error, len(exampleCalls))
	var playing sync.WaitGroup
	for i, c := range exampleCalls {
		playing.Go(func() {
			p := &play{stage: s, ctx: ctx}
			c.play(p)
			var err error
			if results[i], err = p.result(); err != nil {
				errs[i] = fmt.Errorf("call %d, %s: %w", i+1, c.title, err)
			}
		})
	}
	playing.Wait()
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for i, c := range exampleCalls {
		if errs[i] == nil {
			fmt.Fprintf(table, "%2d  %s\t%s\n", i+1, c.title, results[i])
		}
	}
	fmt.Fprintln(table)
	return errors.Join(append(errs, table.Flush())...)
}
