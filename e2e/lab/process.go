package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// Process is a program that the lab has started. Stop ends it. If the test binary
// dies, the kernel ends it.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended, once done is closed

	killed atomic.Bool // by Kill
}

// StartProcess runs a program with its output in the file log.
func StartProcess(log string, program string, args ...string) (*Process, error) {
	return startProcessIn("", log, program, args...)
}

// startProcessIn is StartProcess in a working directory.
func startProcessIn(dir, log, program string, args ...string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lab: start %s: %w", program, err)
	}
	p := &Process{cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// Pdeathsig is sent when the thread that forked ends, so that thread has to stay.
		runtime.LockOSThread()
		defer out.Close()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("lab: start %s: %w", program, err)
	}
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Runs reports whether the process has not ended.
func (p *Process) Runs() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ErrKilled is how a process ended that Kill killed.
var ErrKilled = errors.New("lab: killed")

// Kill ends the process at once, and returns when it has ended.
func (p *Process) Kill() {
	p.killed.Store(true)
	_ = p.cmd.Process.Kill() // it may be gone
	<-p.done
}

// Freeze stops the process until Thaw (SIGSTOP).
func (p *Process) Freeze() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (p *Process) Thaw() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Stop asks the process to end (SIGTERM) and returns how it ended: nil for exit code
// 0. If it has not ended after patience, Stop kills it.
func (p *Process) Stop(patience time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("lab: stop %s: %w", p.cmd.Path, err)
	}
	select {
	case <-p.done:
		if p.killed.Load() {
			return ErrKilled
		}
		return p.err
	case <-time.After(patience):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("lab: stop %s: not within %v, killed", p.cmd.Path, patience)
}
