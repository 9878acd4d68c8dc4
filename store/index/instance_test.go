package index

import (
	"fmt"
	"testing"
	"time"

	"tapedeck/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// instance is the index of one instance, with what it was told.
type instance struct {
	*Index
	tell *storetest.Spy
}

func open(t *testing.T, srv interface{ URL() string }) *instance {
	t.Helper()
	tell := storetest.NewSpy()
	return &instance{New(storetest.Open(t, srv, tell)), tell}
}

func (i *instance) run(t *testing.T) *instance {
	t.Helper()
	storetest.Run(t, i.conn)
	return i
}

// written waits until everything is in Redis.
func (i *instance) written(t *testing.T) {
	t.Helper()
	i.tell.Await(t, "the recordings to be written", func() bool { return i.Queued() == 0 })
}

var firstStart = time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)

func recorded(organisation string, n int) Recording {
	return Recording{
		ID: fmt.Sprintf("rec-%04d", n), Organisation: organisation, Call: fmt.Sprintf("rec-%04d", n), Path: organisation + "/x.wav",
		External: "+44100", Number: "+44200", Users: []string{"alice"}, Trigger: "automatic",
		Started: firstStart.Add(time.Duration(n) * time.Second), Complete: true,
	}
}

// ids reads all pages and says which recordings are there.
func ids(t *testing.T, s *instance, q Query) (list []string) {
	t.Helper()
	for {
		page, next, err := s.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) > q.Limit && q.Limit > 0 {
			t.Fatalf("%d on a page of %d", len(page), q.Limit)
		}
		for _, r := range page {
			list = append(list, r.Organisation+"/"+r.ID)
		}
		if next == (Cursor{}) {
			return list
		}
		q.Before = next
	}
}

// cursorBefore reports whether c comes before d in the list, which is the newest
// first.
func cursorBefore(c, d Cursor) bool { return placeAt(c).before(placeAt(d)) }
