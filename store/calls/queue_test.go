package calls

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tapedeck/flow"
)

// A state that was queued before its call was claimed is not written any more.
func TestQueueAfterClaim(t *testing.T) {
	q := queue{limit: 10, owner: "me"}
	q.save(call("o", 1, On))
	q.save(call("o", 2, On))
	batch := q.take(1)
	mine := call("o", 1, Paused)
	mine.Token = 5
	q.claimed(mine)
	batch[0].refused = true
	if lost := q.settle(batch); len(lost) != 0 {
		t.Errorf("lost %v", lost)
	}
	mine.ID, mine.Token = "call-2", 3
	q.claimed(mine)
	if q.length() != 0 {
		t.Error("an older state is still queued")
	}
	q.end(idOf("o", "call-2"))
	c := call("o", 1, On) // without a token: the one that is known
	q.save(c)
	batch = q.take(9)
	if len(batch) != 2 || batch[0].token != 3 || !batch[0].ended || batch[1].call.Token != 5 || batch[1].call.Owner != "me" {
		t.Errorf("took %+v", batch)
	}
	for i := range batch {
		batch[i].refused = true
	}
	if lost := fmt.Sprint(q.settle(batch)); lost != "[{o call-2} {o call-1}]" || len(q.entries) != 0 {
		t.Errorf("lost %s, left %v", lost, q.entries)
	}
}

// A call whose draft is too large is kept without the draft.
func TestQueueLeavesOutLargeDrafts(t *testing.T) {
	q := queue{limit: 10}
	c := call("o", 1, On)
	c.Draft = make([]byte, maxDraftSize+1)
	q.save(c)
	if got := q.take(1); len(got) != 1 || got[0].call.Draft != nil || q.dropped != 1 {
		t.Errorf("took %v, dropped %d", len(got), q.dropped)
	}
	c.Draft, c.Snapshot = nil, string(make([]byte, maxCallSize))
	q.save(c)
	if q.dropped != 2 {
		t.Error("a control snapshot of any size is kept")
	}
}

// Save keeps its own copy.
func TestSaveCopies(t *testing.T) {
	var q queue
	q.limit = 10
	c := call("org-0", 1, On)
	q.save(c)
	c.Users[0], c.Chain[0].Setting = "mallory", flow.Never
	if got := q.take(1)[0].call; got.Users[0] != "alice" || got.Chain[0].Setting != flow.Yes {
		t.Errorf("the caller changed what was saved: %+v", got)
	}
}

func TestQueueKeepsTheLatestInOrder(t *testing.T) {
	q := queue{limit: 10}
	names := func(batch []stateWrite) (s string) {
		for _, item := range batch {
			s += fmt.Sprintf("%s:%s:%v ", item.entry.id.ID, item.call.State, item.ended)
		}
		return strings.TrimSpace(s)
	}
	want := func(batch []stateWrite, text string) {
		t.Helper()
		if got := names(batch); got != text {
			t.Errorf("took %q, want %q", got, text)
		}
	}
	q.save(call("o", 1, On))
	q.save(call("o", 2, On))
	q.save(call("o", 1, Paused))
	q.save(call("o", 3, On))
	batch := q.take(2)
	want(batch, "call-1:paused:false call-2:on:false")
	q.save(call("o", 2, Off)) // while it is being written
	for i := range batch {
		batch[i].err = errors.New("away")
	}
	q.settle(batch)
	batch = q.take(10)
	want(batch, "call-1:paused:false call-3:on:false call-2:off:false")
	q.end(idOf("o", "call-3")) // while it is being written
	q.settle(batch)
	batch = q.take(10)
	want(batch, "call-3::true")
	q.save(call("o", 3, On)) // the id again, while its end is being written
	q.settle(batch)
	batch = q.take(10)
	want(batch, "call-3:on:false")
	q.settle(batch)
	q.requeueAll(false)
	batch = q.take(10)
	want(batch, "call-1:paused:false call-2:off:false call-3:on:false")
	q.settle(batch)

	token := func(where string, want int64, newToken bool) {
		t.Helper()
		for _, item := range q.take(10) {
			if item.entry.id.ID == "call-1" && (item.token != want || item.newToken != newToken || !item.ended && item.call.Token != want) {
				t.Errorf("%s: token %d of %d, raised %t", where, item.token, item.call.Token, item.newToken)
			}
		}
		q.settle(nil)
	}
	q.requeueAll(true)
	q.save(call("o", 1, Off))
	token("raised", 2, true)
	q.requeueAll(true)
	q.end(idOf("o", "call-1"))
	token("ended before the new token was written", 0, false)
}

func TestQueueForgetsWhatRedisNeverKnew(t *testing.T) {
	q := queue{limit: 10}
	for i := range 1000 {
		q.save(call("o", i, On))
		q.end(idOf("o", fmt.Sprintf("call-%d", i)))
	}
	if len(q.entries) != 0 || q.order.Len() != 0 || q.dropped != 0 {
		t.Errorf("%d entries, %d queued, %d dropped", len(q.entries), q.order.Len(), q.dropped)
	}
}

func TestQueueIsBounded(t *testing.T) {
	long := strings.Repeat("x", maxCallSize)
	for name, c := range map[string]struct {
		save    Call
		dropped bool
	}{
		"plain":           {call("o", 1, On), false},
		"no id":           {Call{Organisation: "o"}, true},
		"no organisation": {Call{ID: "1"}, true},
		"long id":         {Call{ID: long, Organisation: "o"}, true},
		"id not UTF-8":    {Call{ID: "\xff", Organisation: "o"}, true},
		"long user":       {Call{ID: "1", Organisation: "o", Users: []string{long}}, true},
		"many users":      {Call{ID: "1", Organisation: "o", Users: make([]string, maxCallSize/10)}, true},
		"long chain":      {Call{ID: "1", Organisation: "o", Chain: make(flow.Chain, maxCallSize/10)}, true},
	} {
		q := queue{limit: 10}
		q.save(c.save)
		if got := q.dropped == 1 && q.order.Len() == 0; got != c.dropped {
			t.Errorf("%s: dropped %v, want %v", name, got, c.dropped)
		}
	}
	q := queue{limit: 10}
	for i := range 15 {
		q.save(call("o", i, On))
	}
	q.save(call("o", 3, Paused)) // one that has its place
	q.end(idOf("o", "stranger"))
	q.end(idOf("o", ""))
	if q.dropped != 7 || len(q.entries) != 10 || q.order.Len() != 10 {
		t.Errorf("%d dropped, %d kept, %d queued", q.dropped, len(q.entries), q.order.Len())
	}
	q.end(idOf("o", "call-3"))
	q.save(call("o", 16, On))
	if q.dropped != 7 || len(q.entries) != 10 {
		t.Errorf("no room after an end: %d dropped", q.dropped)
	}
}
