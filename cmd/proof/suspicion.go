package proof

import (
	"fmt"
	"sync"
	"time"

	"tapedeck/recording/audit"
)

// suspectEvery is how often one cause of suspicion is a line in the audit log, at most.
const suspectEvery = time.Hour

// maxCauses is how many causes are told apart. There are about ten.
const maxCauses = 100

// Stranger has it written into the audit log that somebody at the outbound socket is not
// what he says: one line an hour at most for each why, which is constant text. It does not
// block.
func (k *Keeper) Stranger(from, why string) {
	if from == "" {
		from = "outbound socket"
	}
	k.suspect(audit.Stranger, from, "at the outbound socket: "+why)
}

// Forged has it written into the audit log that a record in Redis is not believed, in the
// same way. It does not block.
func (k *Keeper) Forged(record string) {
	k.suspect(audit.Forged, "redis", "a record without a valid seal: "+record)
}

func (k *Keeper) suspect(what, from, cause string) {
	if more, ok := k.suspicions.take(cause, time.Now()); ok {
		if more > 0 {
			cause += fmt.Sprintf("; %d more since the last such line", more)
		}
		k.tell(change{what: what, from: from, detail: cause})
	}
}

// suspicions are the causes that were told of.
type suspicions struct {
	mu sync.Mutex
	of map[string]*suspicion
}

type suspicion struct {
	at   time.Time // of the last line
	more int       // that came since then
}

// take reports whether a cause is to be told of, and how many more there were since it was.
func (s *suspicions) take(cause string, now time.Time) (more int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.of[cause]
	switch {
	case last == nil && len(s.of) == maxCauses:
		return 0, false
	case last == nil:
		if s.of == nil {
			s.of = map[string]*suspicion{}
		}
		last = &suspicion{}
		s.of[cause] = last
	case now.Sub(last.at) < suspectEvery:
		last.more++
		return 0, false
	}
	more = last.more
	*last = suspicion{at: now}
	return more, true
}
