package maintenance

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
)

// problems counts the problems of recordings.
type problems struct {
	Meter
	of []string
}

func (p *problems) Problem(problem string) { p.of = append(p.of, problem) }

// calendar is the months of a policy in a folder.
type calendar struct {
	*testing.T
	months
	root     string
	inForce  *flow.Policy
	problems problems
	logged   testkit.Log
}

func newCalendar(t *testing.T, organisations ...string) *calendar {
	t.Helper()
	root, err := os.MkdirTemp("", "tapedeck-months-") // t.TempDir has the test's name in it, which a Dir may refuse
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	dir, err := recording.NewDir(root)
	if err != nil {
		t.Fatal(err)
	}
	c := &calendar{T: t, root: root}
	c.apply(organisations...)
	c.Maintenance = New(Config{Dir: dir, Policy: func() *flow.Policy { return c.inForce }, Meter: &c.problems, Log: slog.New(slog.NewTextHandler(&c.logged, nil))})
	return c
}

// apply puts a policy in force.
func (c *calendar) apply(organisations ...string) {
	c.inForce = &flow.Policy{Revision: strings.Join(organisations, "+"), Organisations: map[string]*flow.Organisation{}}
	for _, o := range organisations {
		c.inForce.Organisations[o] = &flow.Organisation{ID: o}
	}
}

// has asserts which folders of months there are.
func (c *calendar) has(want ...string) {
	c.Helper()
	found, err := filepath.Glob(filepath.Join(c.root, "*", "*", "*"))
	if err != nil {
		c.Fatal(err)
	}
	for i, path := range found {
		found[i] = strings.TrimPrefix(path, c.root+"/")
	}
	if got := strings.Join(found, " "); got != strings.Join(want, " ") {
		c.Errorf("the folders are %s, want %q", got, want)
	}
}

// TestMonths: the folders are there with the policy, with a new organisation, and
// before a month begins in UTC.
func TestMonths(t *testing.T) {
	c := newCalendar(t, "acme", "volt")
	east := time.FixedZone("east of Greenwich", 9*3600)
	c.look(time.Date(2026, 12, 1, 8, 0, 0, 0, east)) // it is November in UTC, and December in an hour
	c.has("acme/2026/11", "acme/2026/12", "volt/2026/11", "volt/2026/12")
	c.apply("acme", "corner", "volt")
	c.look(time.Date(2026, 12, 30, 23, 59, 0, 0, time.UTC))
	c.has("acme/2026/11", "acme/2026/12", "corner/2026/12", "volt/2026/11", "volt/2026/12")
	c.look(time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC))
	c.has("acme/2026/11", "acme/2026/12", "acme/2027/01", "corner/2026/12", "corner/2027/01", "volt/2026/11", "volt/2026/12", "volt/2027/01")
	if len(c.problems.of) > 0 || c.logged.String() != "" {
		t.Errorf("%q\n%s", c.problems.of, &c.logged)
	}
}

// TestMonthsFail: what cannot be made is told once, keeps nothing else from being
// made, and is made when it can be.
func TestMonthsFail(t *testing.T) {
	c := newCalendar(t, "acme", "volt")
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	in := filepath.Join(c.root, "acme")
	testkit.WriteFile(t, in, nil)
	for range 3 {
		c.look(now)
	}
	c.has("volt/2026/12")
	c.logged.Await(t, 1, "level=ERROR", "cannot make the folder of a month", in)
	if n := strings.Count(c.logged.String(), "\n"); n != 1 {
		t.Errorf("the log has %d lines, want one:\n%s", n, &c.logged)
	}
	if strings.Join(c.problems.of, " ") != recording.Disk {
		t.Errorf("counted are %q", c.problems.of)
	}
	if err := os.Remove(in); err != nil {
		t.Fatal(err)
	}
	c.look(now)
	c.has("acme/2026/12", "volt/2026/12")
	c.logged.Await(t, 1, "level=INFO", "made now")
}

// TestMaintenanceMakesMonths: Run does it, without being asked.
func TestMaintenanceMakesMonths(t *testing.T) {
	testkit.NoLeaks(t)
	w := newWorkshop(t, "embedded")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.Run(ctx) }()
	month := filepath.Join(w.Spool.Dir.String(), "acme", time.Now().UTC().Format("2006/01"))
	testkit.Until(t, "the folder of the month", func() bool { _, err := os.Stat(month); return err == nil }, &w.logged)
	cancel()
	<-ended
}
