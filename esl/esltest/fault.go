package esltest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Fault decides whether a command is answered with reply instead of being
// done. command is an API command (`uuid_record`), or `app/` and an
// application (`app/record_session`), whose reply goes nowhere: FreeSWITCH's
// applications fail in silence. It is called with the switch's lock held, in
// the order of the commands, and must not call the switch.
type Fault func(command, args string) (reply string, intercept bool)

type faults struct {
	fault    Fault
	next     []canned
	delay    time.Duration
	cut      int // cut the next frame after so many bytes; 0: no
	denyAuth bool
	rude     bool
	full     map[string]int64 // path: bytes that its files may have
	frozen   time.Time        // until then, in real time
	stale    tables           // what `show` shows until staleTo
	staleTo  time.Time
}

type canned struct{ command, reply string }

// Fail makes every command go through f first; nil ends that.
func (s *Switch) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.fault = f
}

// FailNext answers the next command of that name (see Fault) with reply, and
// does not do it. Several calls queue up.
func (s *Switch) FailNext(command, reply string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.next = append(s.faults.next, canned{command, reply})
}

// DelayReplies makes every reply on every connection d late, in real time; 0
// ends that.
func (s *Switch) DelayReplies(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.delay = d
}

// CutFrame ends the connection that writes the next frame, whatever it is,
// after the frame's first n bytes (n > 0).
func (s *Switch) CutFrame(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.cut = n
}

// RefuseAuth makes every password wrong.
func (s *Switch) RefuseAuth(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.denyAuth = on
}

// RejectRudely turns new inbound connections away with text/rude-rejection, as
// apply-inbound-acl does.
func (s *Switch) RejectRudely(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.rude = on
}

// FailWrites lets writes to the file path, or to files in the folder path, fail
// as on a full disk once the file has so many bytes: a block that does not fit is
// lost but for its beginning, and the recording goes on. Under 44 bytes, starting
// one fails and leaves what fits. A negative number ends that.
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

// room is how many bytes a file may have: FailWrites of the file, else of a
// folder around it. The lock is held.
func (s *Switch) room(path string) (bytes int64, limited bool) {
	for dir := path; ; dir = filepath.Dir(dir) {
		if bytes, limited = s.faults.full[dir]; limited || dir == filepath.Dir(dir) {
			return bytes, limited
		}
	}
}

// Freeze stops the event socket for d, in real time: commands that come are done,
// and events, replies to come and greetings are written, when it is over. Calls
// and their recordings go on.
func (s *Switch) Freeze(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.frozen = time.Now().Add(d)
}

// thaw waits for the end of Freeze. The lock is not held.
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

// StaleTables lets `show` show for d of the switch's time what it would show now.
// FreeSWITCH writes these tables late (measured: 0.1 to 0.3 s): calls that have
// ended are there, new ones are not, bridges and states are old.
func (s *Switch) StaleTables(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.stale, s.faults.staleTo = s.readTables(), s.now().Add(d)
}

// intercepted asks the faults about a command. The lock is held.
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
