package faults

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tapedeck/e2e/lab"
)

var (
	runs     = flag.Int("faults.runs", 50, "how many seeds are run")
	first    = flag.Uint64("faults.first", 1, "the first seed")
	oneSeed  = flag.Uint64("faults.seed", 0, "run only this seed, and print its whole log")
	parallel = flag.Int("faults.parallel", 4, "how many seeds run at the same time")
	talks    = flag.Bool("faults.talks", false, "users pick up calls, and there are conference rooms, too")
	binary   = flag.String("faults.binary", "", "a tapedeck to test instead of building one")
)

// TestMain builds the tapedeck that all seeds run.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if *binary != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "tapedeck-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	*binary = filepath.Join(dir, "tapedeck")
	build := exec.Command("go", append(append([]string{"build"}, raceFlags...), "-o", *binary, "tapedeck/cmd/tapedeck")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// noise records when this machine was too busy.
var noise *lab.Noise

// TestFaults runs each seed: random calls, and random faults during them. Whatever
// breaks, no call may suffer, and no wanted recording may be missing without a
// problem in a sidecar.
func TestFaults(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server on PATH: no faults are tested")
	}
	noise = lab.WatchNoise()
	defer noise.Stop()
	if *oneSeed != 0 {
		t.Run(fmt.Sprint(*oneSeed), func(t *testing.T) { play(t, *oneSeed) })
		return
	}
	seeds := make(chan uint64)
	var players sync.WaitGroup
	for range *parallel {
		players.Go(func() {
			for seed := range seeds {
				t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, seed) })
			}
		})
	}
	for i := range *runs {
		seeds <- *first + uint64(i)
	}
	close(seeds)
	players.Wait()
	t.Logf("%s\nlongest stall of this machine: %v", tally.String(), noise.Longest())
}

// play runs one seed.
func play(t *testing.T, seed uint64) {
	s := newStage(t, seed)
	defer s.close()
	wrong := s.run()
	tally.add(s)
	if *oneSeed != 0 {
		t.Logf("%s", s.story())
	}
	for _, err := range wrong {
		t.Error(err)
	}
	if len(wrong) == 0 {
		return
	}
	t.Errorf("seed %d: to run it again, with its whole log: go test %s ./e2e/faults -run TestFaults -faults.talks=%t -faults.seed=%d",
		seed, strings.Join(raceFlags, " "), *talks, seed)
	if *oneSeed == 0 {
		file := filepath.Join(os.TempDir(), fmt.Sprintf("tapedeck-fault-seed-%d.txt", seed))
		t.Logf("its log: %s %v", file, os.WriteFile(file, []byte(s.story()), 0o600))
	}
}

// errUnfit: this machine does not permit the fault.
var errUnfit = errors.New("not possible here")
