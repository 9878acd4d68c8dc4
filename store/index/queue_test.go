package index

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tapedeck/store"
)

func TestRecordingQueueKeepsTheLatestInOrder(t *testing.T) {
	q := queue{limit: 10}
	take := func(n int, want string) []*edit {
		t.Helper()
		batch := q.take(n)
		var got string
		for _, c := range batch {
			got += fmt.Sprintf("%s:%v ", c.id.ID, c.body != nil)
		}
		if got = strings.TrimSpace(got); got != want {
			t.Errorf("took %q, want %q", got, want)
		}
		return batch
	}
	q.save(recorded("o", 1))
	q.save(recorded("o", 2))
	q.save(recorded("o", 1))
	q.delete(idOf("o", "rec-0003"))
	batch := take(2, "rec-0002:true rec-0001:true")
	q.delete(idOf("o", "rec-0001")) // while it is being written
	for _, c := range batch {
		c.err = store.ErrAway
	}
	if q.length() != 4 {
		t.Errorf("%d queued", q.length())
	}
	q.settle(batch)
	batch = take(10, "rec-0002:true rec-0003:false rec-0001:false")
	batch[1].err = errors.New("WRONGTYPE")
	q.settle(batch)
	if q.length() != 0 || len(q.latest) != 0 || q.dropped != 1 {
		t.Errorf("%d queued, %d kept, %d dropped", q.length(), len(q.latest), q.dropped)
	}
	q.save(Recording{ID: "x"})
	q.save(Recording{ID: "x", Organisation: "o", Problems: []string{strings.Repeat("x", maxSize)}})
	q.delete(idOf("o", "\xff"))
	if q.length() != 0 || q.dropped != 4 {
		t.Errorf("%d queued, %d dropped", q.length(), q.dropped)
	}
}
