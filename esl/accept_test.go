//go:build unix

package esl

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/internal/wire"
)

// brokeListener fails as if there were no file descriptor left.
type brokeListener struct {
	mu    sync.Mutex
	asked int
}

func (l *brokeListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
}

func (l *brokeListener) Close() error   { return nil }
func (l *brokeListener) Addr() net.Addr { return &net.TCPAddr{} }

// TestServerDoesNotSpin: a listener that fails for ten seconds is tried ten times a
// second.
func TestServerDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		ln := &brokeListener{}
		s := &Server{Logger: slog.New(slog.DiscardHandler)}
		if err := s.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
		if ln.asked < 90 || ln.asked > 120 {
			t.Errorf("asked %d times", ln.asked)
		}
	})
}

// childOf is set in the environment of a child process that a test starts.
const childOf = "TAPEDECK_ESL_TEST_CHILD"

// TestServerWithoutFiles: a process that has no file descriptor left still takes real
// calls, because it cuts silent peers.
func TestServerWithoutFiles(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.run=^TestServerWithoutFilesChild$", "-test.v")
	child.Env = append(os.Environ(), childOf+"="+t.Name())
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	says := func(word string) (rest string) {
		for said.Scan() {
			if _, rest, ok := strings.Cut(said.Text(), word+"="); ok {
				return rest
			}
		}
		t.Errorf("the child did not say %q", word)
		return ""
	}
	l := &lab{served: &served{t: t, addr: says("address")}, call: wire.Captures(t)[0]}
	for range 100 {
		nc, err := l.dialFrom(freeSWITCH)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
	}
	l.during(func() {})
	_ = in.Close()
	if reasons := says("rejected"); !strings.Contains(reasons, ReasonEvicted) {
		t.Errorf("rejected: %s", reasons)
	}
	_, _ = io.Copy(io.Discard, out)
	if err := child.Wait(); err != nil {
		t.Errorf("the child: %v", err)
	}
}

func TestServerWithoutFilesChild(t *testing.T) {
	if os.Getenv(childOf) == "" {
		t.Skip("for TestServerWithoutFiles")
	}
	const files, free = 100, 8
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: files, Max: files}); err != nil {
		t.Fatal(err)
	}
	l := newLab(t, &Server{ConnectTimeout: time.Minute, Grace: time.Millisecond})
	var hoard []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		hoard = append(hoard, f)
	}
	for i, f := range hoard {
		defer f.Close()
		if i < free {
			_ = f.Close()
		}
	}
	fmt.Printf("address=%s\n", l.addr)
	_, _ = io.Copy(io.Discard, os.Stdin)
	reasons := map[string]int{}
	for len(l.reasons) > 0 {
		reasons[<-l.reasons]++
	}
	fmt.Printf("rejected=%v\n", reasons)
}
