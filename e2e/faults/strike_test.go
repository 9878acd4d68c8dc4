package faults

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// strike lets a fault happen, and heals it after its time.
func (s *stage) strike(f *fault) {
	time.Sleep(f.after)
	f.struck = time.Now()
	heard := s.silence(f)
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
		s.die()
		s.sw.Restart()
	case switchShutdown:
		s.die()
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
	heard()
	s.note("healed: %s", f.kind)
}

// die notes that FreeSWITCH ends all calls.
func (s *stage) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = time.Now()
}

// strikeStore is strike for Redis and the disk. It returns what heals the fault.
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
				continue // the recording is finished: to delete it is the operator's right
			}
			s.mu.Lock()
			s.deleted = append(s.deleted, callOf(path))
			s.mu.Unlock()
			s.note("deleted: %s: %v", filepath.Base(path), os.Remove(path))
		}
	}
	return func() {}
}

// healAll heals everything once more: a later fault may have broken it again.
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

// firstFault is when the first fault struck; the far future if none did.
func (s *stage) firstFault() time.Time {
	at := time.Unix(1<<40, 0)
	for _, f := range s.plan.faults {
		at = slices.MinFunc([]time.Time{at, cmp.Or(f.struck, at)}, time.Time.Compare)
	}
	return at
}

// struck reports whether the seed has a fault of these kinds.
func (s *stage) struck(kinds ...string) bool {
	return slices.ContainsFunc(s.plan.faults, func(f *fault) bool { return slices.Contains(kinds, f.kind) })
}
