package testkit

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
)

// Redis is a real redis-server on a port of 127.0.0.1, with a folder of its own.
// A test may kill it and start it again: it is then at the same address, with
// the data that it had if it was started with "--appendonly yes".
type Redis struct {
	Port int
	Log  Log // what the process printed, in all its lives

	dir  string
	args []string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// NewRedis finds a port and a folder for a redis-server, but does not start it.
// The args are added to its command line. The test is skipped where there is no
// redis-server. The end of the test kills it.
func NewRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server on PATH: not tested on a real Redis")
	}
	r := &Redis{Port: FreePort(t), dir: t.TempDir(), args: args}
	t.Cleanup(r.Kill)
	return r
}

// StartRedis is NewRedis, started. Another process may take the port in between:
// then it tries another one.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	var err error
	for range 5 {
		r := NewRedis(t, args...)
		if err = r.Start(); err == nil {
			return r
		}
	}
	t.Fatal(err)
	return nil
}

// Address is its host and port.
func (r *Redis) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.Port)) }

// URL is its address as Tapedeck's configuration names it.
func (r *Redis) URL() string { return "redis://" + r.Address() }

// Start starts the process and waits until it takes connections.
func (r *Redis) Start() error {
	before := len(r.Log.Lines(ready))
	args := append([]string{"--port", strconv.Itoa(r.Port), "--bind", "127.0.0.1", "--dir", r.dir, "--save", ""}, r.args...)
	cmd, done := exec.Command("redis-server", args...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = &r.Log, &r.Log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("testkit: redis-server: %w", err)
	}
	r.cmd, r.done = cmd, done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	if Happens(Patience, func() bool { return r.ended() || len(r.Log.Lines(ready)) > before }) && !r.ended() {
		return nil
	}
	r.Kill()
	return fmt.Errorf("testkit: redis-server did not start; it printed:\n%s", &r.Log)
}

// ready is the line that redis-server prints when it has read its data and
// listens (server.c, main).
const ready = "Ready to accept connections"

func (r *Redis) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// Kill ends the process at once, as a machine that loses its power does. Killing
// one that does not run does nothing.
func (r *Redis) Kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill() // it may have ended
		<-r.done
		r.cmd = nil
	}
}

// Pid is the id of the process. It has to run.
func (r *Redis) Pid() int { return r.cmd.Process.Pid }

// Empty makes a redis-server that is killed start without its data.
func (r *Redis) Empty(t testing.TB) { r.dir = t.TempDir() }

// Signal sends the process a signal: SIGSTOP makes it a Redis that does not
// answer, SIGCONT lets it go on.
func (r *Redis) Signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on. Another process
// may take it before it is used. It is at most 55,535: the nodes of a Redis
// cluster use the port 10,000 above for each other.
func FreePort(t testing.TB) int {
	t.Helper()
	for {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		ln.Close()
		if port <= 1<<16-1-10000 {
			return port
		}
	}
}
