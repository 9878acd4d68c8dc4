package calls

import (
	"strings"
	"testing"

	"tapedeck/store"
	"tapedeck/store/storetest"
)

// benchCalls saves as many calls as are written at once, with snapshots and drafts as long
// as they usually are, in a real Redis.
func benchCalls(b *testing.B) (s *Store, save func(State)) {
	b.Helper()
	s = New(storetest.OpenWith(b, store.Config{Redis: storetest.NewRedis(b).URL(), Keys: []string{storetest.Key}, Timeout: storetest.NewSpy().Config().Timeout}))
	return s, func(state State) {
		for i := range callsAtOnce {
			c := call("org-0", i, state)
			c.Snapshot, c.Draft = strings.Repeat("s", 1200), []byte(`["`+strings.Repeat("d", 1500)+`"]`)
			s.Save(c)
		}
		s.writeQueued(b.Context())
	}
}

// BenchmarkWrite writes 64 states.
func BenchmarkWrite(b *testing.B) {
	s, save := benchCalls(b)
	for b.Loop() {
		save(On)
	}
	if n := s.Queued(); n > 0 {
		b.Errorf("%d are not written", n)
	}
}

// BenchmarkList reads 64 calls.
func BenchmarkList(b *testing.B) {
	s, save := benchCalls(b)
	save(On)
	for b.Loop() {
		if list, err := s.List(b.Context()); err != nil || len(list) != callsAtOnce {
			b.Fatal(len(list), err)
		}
	}
}
