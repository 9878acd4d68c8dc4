package main

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/spooltest"
	"tapedeck/internal/testkit"
)

var (
	callsLine = regexp.MustCompile(`^(\d+) calls in ([\d.]+) s: (\d+) calls/s, (\d+) to be recorded, (\d+) failed$`)
	heldLine  = regexp.MustCompile(`^connect to exit: p50 ([\d.]+) ms, p99 ([\d.]+) ms, longest ([\d.]+) ms$`)
)

// numbers reads what simulate prints.
func numbers(t *testing.T, stdout string) (calls, recorded, failed int, took float64) {
	t.Helper()
	lines := strings.Split(stdout, "\n")
	m := callsLine.FindStringSubmatch(lines[0])
	if m == nil {
		t.Fatalf("stdout is %q", stdout)
	}
	calls, _ = strconv.Atoi(m[1])
	took, _ = strconv.ParseFloat(m[2], 64)
	recorded, _ = strconv.Atoi(m[4])
	failed, _ = strconv.Atoi(m[5])
	if calls > failed {
		h := heldLine.FindStringSubmatch(lines[1])
		if h == nil {
			t.Fatalf("stdout is %q", stdout)
		}
		var ms [3]float64
		for i := range ms {
			ms[i], _ = strconv.ParseFloat(h[i+1], 64)
		}
		if !(0 < ms[0] && ms[0] <= ms[1] && ms[1] <= ms[2]) {
			t.Errorf("p50, p99, longest are %v", ms)
		}
	}
	return calls, recorded, failed, took
}

func TestSimulate(t *testing.T) {
	testkit.NoLeaks(t)
	s := daemontest.Start(t, spooltest.TwoOrganisations, "")
	o := tapedeck("simulate", "--target", s.Socket, "--calls", "200", "--concurrency", "8")
	o.want(t, exitDone, "calls/s", "")
	if calls, recorded, failed, _ := numbers(t, o.stdout); calls != 200 || recorded != 200 || failed != 0 {
		t.Errorf("%s", o.stdout)
	}
	s.Metric(`tapedeck_calls_total{direction="inbound",state="on"}`, "200")
	o = tapedeck("simulate", "--target", s.Socket, "--calls", "3", "--number", "+442079469999")
	if calls, recorded, failed, _ := numbers(t, o.stdout); o.code != exitDone || calls != 3 || recorded != 0 || failed != 0 {
		t.Errorf("%+v", o)
	}
}

// TestSimulateRate: the last of 21 calls at 40 a second begins after half a second.
func TestSimulateRate(t *testing.T) {
	testkit.NoLeaks(t)
	s := daemontest.Start(t, spooltest.TwoOrganisations, "")
	o := tapedeck("simulate", "--target", s.Socket, "--calls", "21", "--rate", "40")
	if calls, _, failed, took := numbers(t, o.stdout); o.code != exitDone || calls != 21 || failed != 0 || took < 0.5 || took > 5 {
		t.Errorf("%+v", o)
	}
}

func TestSimulateInterrupted(t *testing.T) {
	testkit.NoLeaks(t)
	s := daemontest.Start(t, spooltest.TwoOrganisations, "")
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr testkit.Log
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"simulate", "--target", s.Socket, "--calls", "1000000", "--rate", "50"}, environment{nil, &stdout, &stderr, nil, false})
	}()
	s.Logged.Await(t, 3, "call decided")
	cancel()
	code := <-ended
	calls, _, failed, _ := numbers(t, stdout.String())
	if want := fmt.Sprintf("tapedeck simulate: interrupted after %d of 1000000 calls\n", calls); code != exitFailed || failed != 0 || stderr.String() != want {
		t.Errorf("exit code %d, %d failed, %q", code, failed, stderr.String())
	}
}

// TestSimulateNobody: nobody listens, or somebody who is no Tapedeck.
func TestSimulateNobody(t *testing.T) {
	testkit.NoLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := l.Addr().String()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	o := tapedeck("simulate", "--target", target, "--calls", "5")
	o.want(t, exitFailed, "5 calls in ", "5 of 5 calls failed, the first because: ")
	l.Close()
	<-ended
	o = tapedeck("simulate", "--target", target, "--calls", "100000")
	o.want(t, exitFailed, "", "nobody takes calls on "+target+": start `tapedeck serve` there, or name its outbound socket with --target")
	if strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("stderr is %q", o.stderr)
	}
}
