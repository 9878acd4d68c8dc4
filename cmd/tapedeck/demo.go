package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"text/tabwriter"
	"time"

	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/recording"
)

//go:embed demo.yaml
var demoPolicy []byte

// demo runs a whole Tapedeck in this process, with an embedded Redis and a
// simulated FreeSWITCH that places calls and writes real WAV files.
func demo(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	once := flags.Bool("once", false, "place every call once, then end")
	dir := flags.String("dir", "", "where the recordings go (default: a new folder below the system's temporary one)")
	verbose := flags.Bool("verbose", false, "print all of tapedeck's log, not only what it says of the policy, and errors")
	if _, err := parse(flags, args, stdout, 0, ""); err != nil {
		return err
	}
	log, started := newDemoLog(stderr, *verbose)
	s, err := newStage(ctx, *dir, log)
	if err != nil {
		return err
	}
	started()
	defer s.close()
	s.introduce(stdout, *once)
	err = s.round(ctx, stdout)
	switch {
	case ctx.Err() != nil && *once:
		return errors.New("interrupted before every call had ended")
	case ctx.Err() != nil: // the way to end it
		return nil
	case err != nil || *once:
		return err
	}
	fmt.Fprintf(stdout, "Now calls come and go (Ctrl-C ends the demo).\n")
	s.comeAndGo(ctx, stdout, demoCallsMost)
	<-ctx.Done()
	return nil
}

// introduce prints where everything is.
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
		s.daemon.consoleAddr, until, demoAccounts[0].Name, s.password, otherAccounts(), s.policy, s.dir, s.daemon.metricsAddr,
		os.Args[0], s.daemonFile(), outsideHz, phones["1001"], phones["1002"], phones["1003"], phones["1004"])
}

// Who is heard as what.
const outsideHz = 440

var phones = map[string]int{"1001": 880, "1002": 1320, "1003": 1760, "1004": 2200}

// stage is the daemon and its switch.
type stage struct {
	daemon      *daemon
	sw          *esltest.Switch
	office      *esltest.Office
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
	cfg := defaults()
	cfg.Listen, cfg.Metrics.Listen, cfg.HTTP.Listen = "127.0.0.1:0", "127.0.0.1:0", freeOr(cfg.HTTP.Listen)
	cfg.HTTP.Accounts = filepath.Join(s.dir, "accounts.yaml")
	cfg.Policy, cfg.policyNamed, cfg.Recordings.Dir = s.policy, true, s.dir
	cfg.Switches = []switchConfig{{Name: "demo", Address: address, Password: esl.NewSecret("ClueCon")}}
	if cfg.dir, err = recording.NewDir(s.dir); err != nil {
		return nil, errors.Join(err, s.sw.Close())
	}
	if s.daemon, err = newDaemon(ctx, cfg, log); err != nil {
		return nil, errors.Join(err, s.sw.Close())
	}
	if err := cmp.Or(s.writeDaemonFile(cfg), s.daemon.waitReady(ctx)); err != nil {
		s.close()
		return nil, fmt.Errorf("demo: %w", err)
	}
	s.office = &esltest.Office{Switch: s.sw, Socket: s.daemon.addr.String(), Domain: "acme.example.net",
		Outside: "+447700900123", ToneHz: outsideHz, Phones: phones}
	return s, nil
}

// makeFolder makes the folder of the recordings and puts the policy into it,
// unless one lies there already.
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
	return os.WriteFile(s.policy, demoPolicy, 0o644)
}

func (s *stage) daemonFile() string { return filepath.Join(s.dir, "tapedeck.yaml") }

// writeDaemonFile says where everything is for the other commands.
func (s *stage) writeDaemonFile(cfg *config) error {
	text := fmt.Sprintf("# The daemon file of `tapedeck demo`; each run writes it anew.\n"+
		"recordings: { dir: %q }\npolicy: %q\nhttp: { listen: %q, accounts: %q }\n",
		s.dir, s.policy, s.daemon.consoleAddr.String(), cfg.HTTP.Accounts)
	return os.WriteFile(s.daemonFile(), []byte(text), 0o644)
}

func (s *stage) close() {
	s.daemon.stop()
	_ = s.sw.Close() // it is in this process and goes with it
}

// round places every call, all at the same time, and prints what came of each
// in their order.
func (s *stage) round(ctx context.Context, stdout io.Writer) error {
	fmt.Fprintf(stdout, "%s: %d calls\n", time.Now().Format(time.TimeOnly), len(demoCalls))
	results := make([]string, len(demoCalls))
	errs := make([]error, len(demoCalls))
	var playing sync.WaitGroup
	for i, c := range demoCalls {
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
	for i, c := range demoCalls {
		if errs[i] == nil {
			fmt.Fprintf(table, "%2d  %s\t%s\n", i+1, c.title, results[i])
		}
	}
	fmt.Fprintln(table)
	return errors.Join(append(errs, table.Flush())...)
}
