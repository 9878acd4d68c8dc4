package faults

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"tapedeck/internal/testkit"
)

// process is a program that can be killed, frozen and started again.
type process struct {
	name    string
	command func() *exec.Cmd
	note    func(format string, args ...any)

	mu     sync.Mutex
	cmd    *exec.Cmd
	ended  chan struct{}
	killed bool // by the test
	frozen bool
	lives  int
	began  time.Time // when it was started last
	fault  error     // it ended by itself
	log    journal
}

// journal is the output of a process, each line with its time.
type journal struct {
	mu    sync.Mutex
	began time.Time
	text  bytes.Buffer
	part  []byte
	away  time.Time // when it last logged that Redis is away
	lacks bool      // it has not logged since that Redis is up
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range bytes.Lines(b) {
		j.part = append(j.part, line...)
		if bytes.HasSuffix(line, []byte("\n")) {
			switch {
			case bytes.Contains(j.part, []byte("redis is away")):
				j.away, j.lacks = time.Now(), true
			case bytes.Contains(j.part, []byte("redis is up")), bytes.HasPrefix(j.part, []byte("----")): // a new life
				j.lacks = false
			}
			fmt.Fprintf(&j.text, "%7d ms  %s", time.Since(j.began).Milliseconds(), j.part)
			j.part = j.part[:0]
		}
	}
	return len(b), nil
}

// redisAway is the last time at which the process found Redis away.
func (j *journal) redisAway() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lacks {
		return time.Now()
	}
	return j.away
}

// since makes the times of later lines count from began.
func (j *journal) since(began time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.began = began
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String() + string(j.part)
}

// start starts it, unless it runs.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return nil
	}
	cmd := p.command()
	cmd.Stderr = &p.log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.lives++
	p.began = time.Now()
	fmt.Fprintf(&p.log, "---- %s, life %d, pid %d\n", p.name, p.lives, cmd.Process.Pid)
	ended := make(chan struct{})
	p.cmd, p.ended, p.killed, p.frozen = cmd, ended, false, false
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.killed && p.fault == nil {
			p.fault = fmt.Errorf("%s ended by itself: %v", p.name, err)
		}
		p.cmd = nil
		close(ended)
	}()
	return nil
}

// kill is SIGKILL. It returns when the process has ended.
func (p *process) kill() {
	p.mu.Lock()
	if p.cmd == nil {
		p.mu.Unlock()
		return
	}
	p.killed = true
	_ = p.cmd.Process.Kill() // it may be gone
	ended := p.ended
	p.mu.Unlock()
	<-ended
}

// freeze is SIGSTOP, thaw SIGCONT.
func (p *process) freeze() { p.signal(syscall.SIGSTOP, true) }
func (p *process) thaw()   { p.signal(syscall.SIGCONT, false) }

func (p *process) signal(s os.Signal, frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s) // it may be gone
		p.frozen = frozen
	}
}

// stop is SIGTERM. It is an error if the process does not end in time with exit code
// 0.
func (p *process) stop(within time.Duration) error {
	p.mu.Lock()
	if p.cmd == nil {
		p.mu.Unlock()
		return nil
	}
	p.killed = true
	cmd, ended := p.cmd, p.ended
	_ = cmd.Process.Signal(syscall.SIGTERM)
	p.mu.Unlock()
	select {
	case <-ended:
	case <-time.After(within):
		_ = cmd.Process.Kill()
		<-ended
		return fmt.Errorf("%s did not end within %v of SIGTERM", p.name, within)
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with exit code %d", p.name, code)
	}
	return nil
}

// up reports whether it runs and is not frozen.
func (p *process) up() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil && !p.frozen
}

// livesSince reports whether it runs and ran at that time already, without a restart.
func (p *process) livesSince(at time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil && !p.frozen && p.began.Before(at)
}

// await waits until the process has printed words since it was started last.
func (p *process) await(words string, within time.Duration) error {
	printed := func() bool {
		text := p.log.String()
		i := strings.LastIndex(text, "---- ")
		return i >= 0 && strings.Contains(text[i:], words)
	}
	testkit.Happens(within, func() bool { return printed() || !p.up() })
	if !printed() {
		return fmt.Errorf("%s: did not print %q; its log:\n%s", p.name, words, &p.log)
	}
	return nil
}

// complaint is an error if the process ended by itself or printed what it must never
// print.
func (p *process) complaint() error {
	p.mu.Lock()
	fault := p.fault
	p.mu.Unlock()
	text := p.log.String()
	for _, words := range []string{"DATA RACE", "panic:", "fatal error:", "goroutine "} {
		if strings.Contains(text, words) {
			return errors.Join(fault, fmt.Errorf("%s printed %q", p.name, words))
		}
	}
	return fault
}
