package testkit

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLog(t *testing.T) {
	var log Log
	var writers sync.WaitGroup
	for range 3 {
		writers.Go(func() { _, _ = log.Write([]byte("call began\ncall ended\n")) })
	}
	if got := log.Await(t, 3, "call", "ended"); got != "call ended\n" {
		t.Errorf("third line %q", got)
	}
	writers.Wait()
	if got := len(log.Lines("call")); got != 6 {
		t.Errorf("%d lines, want 6", got)
	}
	if got := strings.Count(log.String(), "\n"); got != 6 {
		t.Errorf("%d lines in the text, want 6", got)
	}
}

func TestHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if Happens(time.Minute, func() bool { return false }) {
			t.Error("what never holds has happened")
		}
		if took := time.Since(began); took < time.Minute || took > time.Minute+2*poll {
			t.Errorf("gave up after %v", took)
		}
		if !Happens(time.Minute, func() bool { return time.Since(began) > 90*time.Second }) {
			t.Error("what holds after 30 s has not happened")
		}
	})
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	for _, text := range []string{"one", "two"} {
		Replace(t, path, text)
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestRedisStartsAgain(t *testing.T) {
	NoLeaks(t)
	r := StartRedis(t)
	for range 2 {
		r.Kill()
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(r.Log.Lines(ready)); got != 3 {
		t.Errorf("started %d times, want 3", got)
	}
}
