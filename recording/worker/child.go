package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"tapedeck/recording"
	"tapedeck/recording/sound"
)

// child is a worker that runs.
type child struct {
	conn    *net.UnixConn
	process *os.Process
	said    *beginning
	ended   chan struct{} // closed when the process has ended
	disown  func() bool   // lets the end of its life not end it
	job     int64         // the number of the last
}

// endedError is why a worker is of no use any more.
type endedError struct{ error }

// killAfter is how long a worker may take to end when its socket is closed.
const killAfter = time.Second

// start starts a worker and waits until it is ready.
func (p *process) start() (*child, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	conn, err := connOf(ours)
	if err != nil {
		theirs.Close()
		return nil, err
	}
	c := &child{conn: conn, said: &beginning{}, ended: make(chan struct{})}
	cmd := exec.Command(p.program)
	cmd.Args = command(p.name, p.flags...)
	cmd.Env, cmd.ExtraFiles, cmd.Stderr = []string{}, []*os.File{theirs}, c.said
	cmd.SysProcAttr = ofWorker()
	cmd.WaitDelay = killAfter
	err = p.life.run(cmd, c.ended)
	theirs.Close()
	if err != nil {
		conn.Close()
		return nil, err
	}
	c.process = cmd.Process
	c.disown = context.AfterFunc(p.life.alive, c.end)
	a, err := c.hear(p.life.alive, p.patience)
	if err == nil && !a.Ready {
		err = errors.New("its first word is not that it is ready")
	}
	if err != nil {
		return nil, fmt.Errorf("%w; it said %q", err, c.kill())
	}
	return c, nil
}

// run starts a command, unless Close was called, and closes ended when it has ended.
func (l *life) run(cmd *exec.Cmd, ended chan<- struct{}) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.alive.Err(); err != nil {
		return err
	}
	started := make(chan error, 1)
	l.gone.Go(func() {
		runtime.LockOSThread() // when a thread ends, the system ends what it has started (ofWorker)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is not asked: its connection has ended
		}
		close(ended)
	})
	return <-started
}

// kill ends the worker, and returns what it wrote to stderr.
func (c *child) kill() (said string) {
	c.disown()
	c.end()
	return c.said.String()
}

// end ends the worker, and waits a moment for that.
func (c *child) end() {
	c.conn.Close()
	select {
	case <-c.ended:
	case <-time.After(killAfter):
		_ = c.process.Kill() // which may take as long as the disk does
		select {
		case <-c.ended:
		case <-time.After(killAfter):
		}
	}
}

// hear waits for an answer, at most so long, or a moment if ctx has ended. The error is an
// endedError.
func (c *child) hear(ctx context.Context, patience time.Duration) (a answer, err error) {
	err = c.conn.SetReadDeadline(time.Now().Add(patience))
	if err == nil && cancelled(ctx) {
		err = c.hurry()
	}
	if err == nil {
		_, err = receive(c.conn, &a)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("no progress within %v", patience)
	}
	if err != nil {
		err = endedError{err}
	}
	return a, err
}

// cancelled reports whether ctx has ended, and not because a job was abandoned.
func cancelled(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), recording.ErrAbandoned)
}

// hurry lets the worker have no more than a moment for its answer. It may be starved, and
// the end of serve does not wait for that.
func (c *child) hurry() error { return c.conn.SetReadDeadline(time.Now().Add(killAfter)) }

// do has a job done. The error is an endedError if the worker failed, and not the job.
func (c *child) do(ctx context.Context, r request, patience time.Duration, files []*os.File) (found sound.Analysis, err error) {
	c.job++
	r.Job = c.job
	if err := send(c.conn, r, files...); err != nil {
		return found, endedError{err}
	}
	stopped := make(chan struct{})
	notStopped := context.AfterFunc(ctx, func() {
		defer close(stopped)
		_ = send(c.conn, request{Job: r.Job, Do: doStop, Abandoned: !cancelled(ctx)})
		if cancelled(ctx) {
			_ = c.hurry()
		}
	})
	defer func() {
		if !notStopped() {
			<-stopped // the next job has a deadline of its own
		}
	}()
	var silences []sound.Silence
	for {
		a, err := c.hear(ctx, patience)
		if err != nil {
			return found, err
		}
		silences = append(silences, a.Silences...)
		if a.Last {
			found = a.Analysis
			found.Silences = silences
			return found, a.err()
		}
	}
}

// beginning keeps the beginning of what is written to it: that of a panic says what
// happened.
type beginning struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const maxBeginning = 1000 // bytes

func (b *beginning) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p[:min(len(p), maxBeginning-b.text.Len())])
	return len(p), nil
}

func (b *beginning) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
