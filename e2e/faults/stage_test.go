package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// stage is one seed's world: a simulated FreeSWITCH, instances of Tapedeck, a
// Redis, the lines between them, and the calls.
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
	told  []string
	calls []*call
	wrong []error

	deleted []string // calls whose file a fault has taken away

	quietFrom time.Time // every fault is healed
	settled   time.Duration
	finished  time.Duration
	dead      time.Time // when FreeSWITCH ended all calls; zero: it did not
}

// instance is one Tapedeck.
type instance struct {
	process
	link, store *proxy // to FreeSWITCH and to Redis
	id          string // of its present life
}

// ports on a loopback address of their own.
const (
	socketPort = 18084
	switchPort = 18021
	redisPort  = 16379
)

// host is an address that no other seed has.
func (s *stage) host(n int) string {
	return fmt.Sprintf("127.%d.%d.%d", 1+os.Getpid()%250, s.plan.seed%250, 1+n)
}

func newStage(t *testing.T, seed uint64) *stage {
	s := &stage{t: t, plan: newPlan(seed), began: time.Now()}
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
	_, err = s.sw.Listen(fmt.Sprintf("%s:%d", s.host(0), switchPort))
	s.must(err)
	s.startRedis()
	for n := range s.plan.instances {
		s.newInstance(n)
	}
	for _, i := range s.instances {
		s.must(i.await("tapedeck serves", 20*time.Second))
	}
	s.until(10*time.Second, func() bool { return s.sw.Links() == len(s.instances) })
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
	s.told = append(s.told, fmt.Sprintf("%7d ms  %s", time.Since(s.began).Milliseconds(), fmt.Sprintf(format, args...)))
}

// fails is a rule that was broken.
func (s *stage) fails(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	s.note("WRONG: %v", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong = append(s.wrong, err)
}

func (s *stage) until(within time.Duration, ok func() bool) bool {
	for end := time.Now().Add(within); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// untilCalm is until, but the time runs while Redis is fast enough alone: on a
// machine that is too busy, 50 ms are not, and who owns a call stays open.
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

func (s *stage) startRedis() {
	if s.plan.embedded {
		return
	}
	s.redis = &process{name: "redis", note: s.note, log: journal{began: s.began}}
	s.redis.command = func() *exec.Cmd {
		cmd := exec.Command("redis-server", "--bind", s.host(1), "--port", fmt.Sprint(redisPort), "--save", "", "--dir", s.dir)
		cmd.Stdout = &s.redis.log
		return cmd
	}
	s.must(s.redis.start())
	s.must(s.redis.await("Ready to accept connections", 10*time.Second))
}

// newInstance starts a Tapedeck with its own lines.
func (s *stage) newInstance(n int) {
	i := &instance{process: process{name: fmt.Sprintf("tapedeck%d", n+1), note: s.note, log: journal{began: s.began}}}
	link := fmt.Sprintf("%s:%d", s.host(10+n), switchPort)
	var err error
	i.link, err = newProxy(link, fmt.Sprintf("%s:%d", s.host(0), switchPort), func(line string) { s.tap.sent(i.name, &i.id, line) })
	s.must(err)
	redis := "embedded"
	if !s.plan.embedded {
		address := fmt.Sprintf("%s:%d", s.host(10+n), redisPort)
		i.store, err = newProxy(address, fmt.Sprintf("%s:%d", s.host(1), redisPort), nil)
		s.must(err)
		redis = "redis://" + address
	}
	prompts, err := filepath.Abs("../../freeswitch-conf/sounds")
	s.must(err)
	level := "info"
	if *oneSeed != 0 {
		level = "debug"
	}
	socket := fmt.Sprintf("%s:%d", s.host(2+n), socketPort)
	config := filepath.Join(s.dir, i.name+".yaml")
	text := fmt.Sprintf("listen: %s\nmetrics: { listen: %s:0 }\nhttp: { listen: off }\npolicy: %s/policy.yaml\nrecordings: { dir: %s }\nprompts: { dir: %s }\n"+
		"store: { redis: '%s' }\nlog: { level: %s }\nswitches:\n  - { name: fs1, address: %q, password: ClueCon }\n",
		socket, s.host(2+n), s.dir, s.spool, prompts, redis, level, link)
	s.must(os.WriteFile(config, []byte(text), 0o600))
	i.command = func() *exec.Cmd { return exec.Command(*binary, "serve", "--config", config) }
	s.must(i.start())
	s.instances = append(s.instances, i)
	s.sockets = append(s.sockets, socket)
}

// socket is the instances as the dialplan names them: the first one first, unless
// it is one that balances.
func (s *stage) socket(first int) string {
	if s.plan.balanced && first == 1 && len(s.sockets) == 2 {
		return s.sockets[1] + "|" + s.sockets[0]
	}
	return strings.Join(s.sockets, "|")
}

// run plays the seed and says what was wrong.
func (s *stage) run() []error {
	s.note("%d instances, embedded %t, balanced %t", s.plan.instances, s.plan.embedded, s.plan.balanced)
	var acting sync.WaitGroup
	for n, c := range s.plan.calls {
		acting.Go(func() { newPlayer(s, n, c).play() })
	}
	for _, f := range s.plan.faults {
		acting.Go(func() { s.strike(f) })
	}
	acting.Wait()
	s.healAll()
	s.quietFrom = time.Now()
	s.converge()
	s.hangUpAll()
	s.awaitSidecars()
	for _, i := range s.instances {
		if err := errors.Join(i.stop(10*time.Second), i.complaint()); err != nil {
			s.fails("%v", err)
		}
	}
	s.judge()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wrong)
}

// strike lets a fault happen, and heals it.
func (s *stage) strike(f *fault) {
	time.Sleep(f.after)
	f.struck = time.Now()
	s.note("FAULT %s", f)
	i := s.instances[f.whom]
	heal := func() {}
	switch f.kind {
	case killed:
		i.kill()
		heal = func() { s.note("tapedeck%d starts again", f.whom+1); s.must(i.start()) }
	case frozen:
		i.freeze()
		heal = i.thaw
	case linkCut:
		i.link.set(true, false)
		heal = func() { i.link.set(false, false) }
	case linkCutInside:
		i.link.cutAfter(f.n)
		heal = func() { i.link.cutAfter(0) }
	case linkStill:
		i.link.set(false, true)
		heal = func() { i.link.set(false, false) }
	case linkHalfOpen:
		i.link.set(false, true)
		heal = func() { i.link.set(true, false); i.link.set(false, false) }
	case switchRestarts:
		s.dead = time.Now()
		s.sw.Restart()
	case switchShutdown:
		s.dead = time.Now()
		s.sw.Shutdown()
	case switchSlow:
		s.sw.DelayReplies(50*time.Millisecond + time.Duration(f.n)*time.Millisecond/10)
		heal = func() { s.sw.DelayReplies(0) }
	case switchStill:
		s.sw.Freeze(f.lasts)
	default:
		heal = s.strikeStore(f, i)
	}
	time.Sleep(f.lasts)
	heal()
	f.healed = time.Now()
	s.note("healed: %s", f.kind)
}

// strikeStore is for what things are kept in.
func (s *stage) strikeStore(f *fault, i *instance) (heal func()) {
	switch f.kind {
	case redisKilled:
		s.redis.kill()
		return func() { s.must(s.redis.start()) }
	case redisFrozen:
		s.redis.freeze()
		return s.redis.thaw
	case redisFlushed:
		flush := exec.Command("redis-cli", "-h", s.host(1), "-p", fmt.Sprint(redisPort), "flushall")
		if out, err := flush.CombinedOutput(); err != nil {
			s.note("redis not flushed: %v %s", err, out)
		}
	case redisCut:
		i.store.set(true, false)
		return func() { i.store.set(false, false) }
	case diskFull:
		if s.disk != nil {
			if err := s.disk.fill(f.n * 10); err != nil {
				s.note("disk not filled: %v", err)
			}
			return s.disk.free
		}
	case fileDeleted:
		for _, path := range s.files(".wav") {
			if _, err := os.Stat(strings.TrimSuffix(path, ".wav") + ".json"); err == nil {
				continue // what is described is the operator's
			}
			s.mu.Lock()
			s.deleted = append(s.deleted, callOf(path))
			s.mu.Unlock()
			s.note("deleted: %s: %v", filepath.Base(path), os.Remove(path))
		}
	}
	return func() {}
}

// healAll is for what a fault that came later has broken again.
func (s *stage) healAll() {
	if s.redis != nil {
		s.redis.thaw()
		s.must(s.redis.start())
	}
	for _, i := range s.instances {
		i.thaw()
		s.must(i.start())
		i.link.set(false, false)
		i.link.cutAfter(0)
		if i.store != nil {
			i.store.set(false, false)
		}
	}
	s.sw.DelayReplies(0)
	if s.disk != nil {
		s.disk.free()
	}
	s.note("all healed")
}

// files are those below the recordings' folder, without what lies in its own.
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
	_ = s.sw.Close()
	if s.disk != nil {
		s.must(s.disk.unmount())
	}
	s.must(os.RemoveAll(s.dir))
}

// story is everything that happened.
func (s *stage) story() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n%s", s.plan.seed, s.plan.policy.yaml())
	for _, f := range s.plan.faults {
		fmt.Fprintf(&b, "fault: %s\n", f)
	}
	s.mu.Lock()
	b.WriteString(strings.Join(s.told, "\n") + "\n")
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

// context is for one leg's time on the socket.
func (s *stage) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 10*time.Second)
}

// firstFault is when the first one struck; the end of time if none did.
func (s *stage) firstFault() time.Time {
	at := time.Unix(1<<40, 0)
	for _, f := range s.plan.faults {
		at = slices.MinFunc([]time.Time{at, cmp.Or(f.struck, at)}, time.Time.Compare)
	}
	return at
}
