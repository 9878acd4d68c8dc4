package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
)

// stage is everything that one seed runs: a simulated FreeSWITCH, instances of
// Tapedeck, a Redis, the proxies between them, and the calls.
type stage struct {
	t         *testing.T
	plan      *plan
	dir       string
	spool     string
	began     time.Time
	sw        *esltest.Switch
	tap       *tap
	instances []*instance
	redis     *process
	disk      *disk
	sockets   []string // of all instances

	mu    sync.Mutex
	notes []string
	calls []*call
	rooms []*room
	wrong []error

	deaf deafness

	deleted []string        // calls whose file a fault has deleted
	held    map[string]bool // legs whose phone has held the other party: it says nothing then

	quietFrom time.Time // since then every fault is healed
	linked    time.Time // and since then every instance has its link; zero: not yet
	settled   time.Duration
	finished  time.Duration
	dead      time.Time // when FreeSWITCH ended all calls; zero: never
}

// Ports. Each seed has loopback addresses of its own.
const (
	socketPort = 18084
	switchPort = 18021
	redisPort  = 16379
)

// host is the n-th loopback address of this seed.
func (s *stage) host(n int) string {
	return fmt.Sprintf("127.%d.%d.%d", 1+os.Getpid()%250, s.plan.seed%250, 1+n)
}

func newStage(t *testing.T, seed uint64) *stage {
	s := &stage{t: t, plan: newPlan(seed), began: time.Now(), held: map[string]bool{}}
	s.tap = newTap(s.note)
	var err error
	s.dir, err = os.MkdirTemp("", "tapedeck-fault-")
	s.must(err)
	s.spool = filepath.Join(s.dir, "spool")
	s.must(os.Mkdir(s.spool, 0o755))
	if s.plan.disk {
		if s.disk, err = mountDisk(s.spool); errors.Is(err, errUnfit) {
			s.note("no small disk: %v", err)
		} else {
			s.must(err)
		}
	}
	s.must(os.WriteFile(s.dir+"/policy.yaml", []byte(s.plan.policy.yaml()), 0o600))
	s.sw = esltest.New(esltest.Options{Name: "fs1", RecordTemplate: s.spool + "/.keys/tapedeck-key-${uuid}.wav"})
	s.sw.Fail(s.tap.carriedOut)
	s.watchTold()
	_, err = s.sw.Listen(fmt.Sprintf("%s:%d", s.host(0), switchPort))
	s.must(err)
	s.startRedis()
	for n := range s.plan.instances {
		s.newInstance(n)
	}
	for _, i := range s.instances {
		s.must(i.await("tapedeck serves", 20*time.Second))
	}
	testkit.Happens(10*time.Second, func() bool { return s.sw.Links() == len(s.instances) })
	s.began = time.Now()
	for _, i := range s.instances {
		i.log.since(s.began)
	}
	return s
}

func (s *stage) must(err error) {
	if err != nil {
		s.t.Helper()
		s.t.Fatal(err)
	}
}

func (s *stage) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, fmt.Sprintf("%7d ms  %s", time.Since(s.began).Milliseconds(), fmt.Sprintf(format, args...)))
}

// fails notes that a rule was broken.
func (s *stage) fails(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	s.note("WRONG: %v", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong = append(s.wrong, err)
}

// untilCalm waits until ok holds, and reports whether it did within the time. The time
// starts again whenever an instance finds Redis too slow: on a busy machine 50 ms are
// not enough for Redis, and meanwhile the owner of a call is not settled.
func (s *stage) untilCalm(within time.Duration, ok func() bool) bool {
	const longest = time.Minute
	began := time.Now()
	for !ok() {
		from := began
		for _, i := range s.instances {
			if away := i.log.redisAway(); away.After(from) {
				from = away
			}
		}
		if time.Since(from) > within || time.Since(began) > longest {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// run runs the seed and returns the rules that were broken.
func (s *stage) run() []error {
	s.note("%d instances, embedded %t, balanced %t", s.plan.instances, s.plan.embedded, s.plan.balanced)
	var acting sync.WaitGroup
	for n, c := range s.plan.calls {
		acting.Go(func() { newPlayer(s, n, c).play() })
	}
	for n, plan := range s.plan.rooms {
		r := newRoomOf(s, n, plan)
		s.rooms = append(s.rooms, r)
		acting.Go(r.play)
	}
	for _, f := range s.plan.faults {
		acting.Go(func() { s.strike(f) })
	}
	acting.Wait()
	s.healAll()
	s.quietFrom = time.Now()
	s.converge()
	s.judgeTold()
	s.hangUpAll()
	s.awaitSidecars()
	for _, i := range s.instances {
		if err := errors.Join(i.stop(10*time.Second), i.complaint()); err != nil {
			s.fails("%v", err)
		}
	}
	s.judge()
	s.judgeEvidence()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wrong)
}

// files are the finished files below the recordings' folder whose names end so.
func (s *stage) files(ending string) []string {
	var all []string
	_ = filepath.WalkDir(s.spool, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil
		case entry.IsDir() && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case !entry.IsDir() && strings.HasSuffix(path, ending) && !strings.HasPrefix(entry.Name(), "."):
			all = append(all, path)
		}
		return nil
	})
	return all
}

func (s *stage) hangUpAll() {
	for _, c := range s.everyCall() {
		c.hangUp()
	}
	for _, leg := range s.sw.Channels() {
		leg.Hangup("")
	}
	s.note("all hung up")
}

func (s *stage) everyCall() []*call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *stage) close() {
	for _, i := range s.instances {
		i.kill()
		i.link.close()
		if i.store != nil {
			i.store.close()
		}
	}
	if s.redis != nil {
		s.redis.kill()
	}
	s.deaf.healing.Wait()
	_ = s.sw.Close()
	if s.disk != nil {
		s.must(s.disk.unmount())
	}
	s.must(os.RemoveAll(s.dir))
}

// story is a log of everything that happened.
func (s *stage) story() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n%s", s.plan.seed, s.plan.policy.yaml())
	for _, f := range s.plan.faults {
		fmt.Fprintf(&b, "fault: %s\n", f)
	}
	s.mu.Lock()
	b.WriteString(strings.Join(s.notes, "\n") + "\n")
	s.mu.Unlock()
	for _, i := range s.instances {
		fmt.Fprintf(&b, "\n%s\n", &i.log)
	}
	for _, path := range s.files(".json") {
		text, err := os.ReadFile(path)
		fmt.Fprintf(&b, "\n%s %v\n%s\n", path, err, text)
	}
	return b.String()
}

// context limits one visit of a leg to the socket.
func (s *stage) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 10*time.Second)
}
