package esl

import (
	"log/slog"
	"sync"
	"time"
)

// throttledLog logs warnings that may come very often. Of each kind it logs one
// line per throttlePause, with the number of those that it left out since the
// one before. What it leaves out it logs at debug level.
type throttledLog struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[string]*throttledKind
}

type throttledKind struct {
	logged  time.Time // when the last line was written
	omitted int
}

// throttlePause is how long after a line of a kind the next ones are left out.
const throttlePause = 10 * time.Second

func (t *throttledLog) warn(message, kind string, attrs ...any) {
	t.mu.Lock()
	k := t.kinds[kind]
	if k == nil {
		k = &throttledKind{}
		if t.kinds == nil {
			t.kinds = map[string]*throttledKind{}
		}
		t.kinds[kind] = k
	}
	now := time.Now()
	if !k.logged.IsZero() && now.Sub(k.logged) < throttlePause {
		k.omitted++
		t.mu.Unlock()
		t.log.Debug(message, attrs...)
		return
	}
	omitted := k.omitted
	k.logged, k.omitted = now, 0
	t.mu.Unlock()
	if omitted > 0 {
		attrs = append(attrs, "omitted", omitted)
	}
	t.log.Warn(message, attrs...)
}
