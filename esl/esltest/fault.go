package esltest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Fault decides whether a command gets reply instead of being run. command is an
// API command (`uuid_record`), or `app/` and an application (`app/record_session`).
// The reply of an application goes nowhere: FreeSWITCH's applications fail without
// saying so. A Fault is called with the switch's lock held, in the order of the
// commands, and must not call the switch.
type Fault func(command, args string) (reply string, intercept bool)

type faults struct {
	fault    Fault
	next     []cannedReply
	delay    time.Duration
	cut      int // cut the next frame after so many bytes; 0: no
	denyAuth bool
	rude     bool
	full     map[string]int64 // path: bytes that its files may have
	frozen   time.Time        // until then, in real time
	stale    tables           // what `show` shows until staleTo
	staleTo  time.Time
}

type cannedReply struct{ command, reply string }

// setFault changes the present faults under the lock.
func (s *Switch) setFault(change func(now *faults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.faults)
}

// Fail asks f about every command from now on; nil ends that.
func (s *Switch) Fail(f Fault) {
	s.setFault(func(now *faults) { now.fault = f })
}

// FailNext replies to the next command of that name (see Fault) with reply and does
// not run it. Several calls queue up.
func (s *Switch) FailNext(command, reply string) {
	s.setFault(func(now *faults) { now.next = append(now.next, cannedReply{command, reply}) })
}

// DelayReplies delays every reply on every connection by d of real time; 0 ends
// that.
func (s *Switch) DelayReplies(d time.Duration) {
	s.setFault(func(now *faults) { now.delay = d })
}

// CutFrame ends the connection that writes the next frame, of any kind, after the
// first n bytes of the frame (n > 0).
func (s *Switch) CutFrame(n int) {
	s.setFault(func(now *faults) { now.cut = n })
}

// RefuseAuth, while on, refuses every password.
func (s *Switch) RefuseAuth(on bool) {
	s.setFault(func(now *faults) { now.denyAuth = on })
}

// RejectRudely, while on, turns new inbound connections away with
// text/rude-rejection, as apply-inbound-acl does.
func (s *Switch) RejectRudely(on bool) {
	s.setFault(func(now *faults) { now.rude = on })
}

// FailWrites lets writes to the file path, or to files in the folder path, fail as
// on a full disk when a file has so many bytes: of a block that does not fit, only
// the beginning is written, and the recording goes on. With fewer than 44 bytes a
// recording cannot start, and leaves what fits. A negative number ends that.
func (s *Switch) FailWrites(path string, after int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.full == nil {
		s.faults.full = map[string]int64{}
	}
	s.faults.full[path] = after
	if after < 0 {
		delete(s.faults.full, path)
	}
}

var errFull = &os.PathError{Op: "write", Path: "FailWrites", Err: syscall.ENOSPC}

// space is how many bytes a file may have, if FailWrites limits it or a folder around
// it. The caller holds the lock.
func (s *Switch) space(path string) (bytes int64, limited bool) {
	for dir := path; ; dir = filepath.Dir(dir) {
		if bytes, limited = s.faults.full[dir]; limited || dir == filepath.Dir(dir) {
			return bytes, limited
		}
	}
}

// Freeze stops the event socket for d of real time. Commands run, and events,
// replies and greetings are written, when it is over. Calls and their recordings go
// on.
func (s *Switch) Freeze(d time.Duration) {
	s.setFault(func(now *faults) { now.frozen = time.Now().Add(d) })
}

// thaw waits for the end of Freeze. The caller does not hold the lock.
func (s *Switch) thaw() {
	for {
		s.mu.Lock()
		left := time.Until(s.faults.frozen)
		s.mu.Unlock()
		if left <= 0 {
			return
		}
		t := time.NewTimer(left)
		select {
		case <-t.C:
		case <-s.life.Done():
			t.Stop()
			return
		}
	}
}

// StaleTables freezes the tables of `show` for d of the switch's time. FreeSWITCH
// writes them late (measured: 0.1 to 0.3 s): they still have calls that have ended,
// lack new ones, and show old bridges and states.
func (s *Switch) StaleTables(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.stale, s.faults.staleTo = s.readTables(), s.now().Add(d)
}

// intercepted asks the faults about a command. The caller holds the lock.
func (s *Switch) intercepted(command, args string) (string, bool) {
	for i, c := range s.faults.next {
		if strings.EqualFold(c.command, command) {
			s.faults.next = append(s.faults.next[:i], s.faults.next[i+1:]...)
			return c.reply, true
		}
	}
	if s.faults.fault != nil {
		return s.faults.fault(command, args)
	}
	return "", false
}
