package main

import (
	"strings"
	"testing"

	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/spooltest"
	"tapedeck/internal/testkit"
)

// spool is a folder of recordings that `tapedeck recordings` is run on.
type spool struct{ *spooltest.Spool }

func newSpool(t *testing.T, policy, more string) spool {
	t.Helper()
	return spool{spooltest.New(t, policy, more)}
}

// do runs `tapedeck recordings` on it.
func (s spool) do(args ...string) outcome {
	s.Helper()
	return tapedeck(append(append([]string{"recordings"}, args...), "--config", s.Config)...)
}

// indexes runs a test with the index inside serve, which the commands do not
// reach, and with one in a real Redis.
func indexes(t *testing.T, test func(t *testing.T, line string)) {
	t.Run("embedded", func(t *testing.T) { test(t, "") })
	t.Run("redis-server", func(t *testing.T) { test(t, daemontest.RedisLine(testkit.StartRedis(t))) })
}

// reindex makes the index, where there is one.
func (s spool) reindex() {
	s.Helper()
	if o := s.do("reindex"); o.code != exitDone && !strings.Contains(o.stderr, "store.redis is embedded") {
		s.Fatalf("reindex: %+v", o)
	}
}
