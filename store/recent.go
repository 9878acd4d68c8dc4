package store

import (
	"container/list"
	"sync"
	"time"
)

// recent remembers what was put into it, limit entries at most, those that were
// put last, and none longer than keep.
type recent[K comparable, V any] struct {
	limit int
	keep  time.Duration

	mu      sync.Mutex
	entries map[K]*list.Element
	order   list.List // of *remembered, the oldest first
}

type remembered[K comparable, V any] struct {
	key   K
	value V
	at    time.Time
}

func (r *recent[K, V]) put(key K, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entries == nil {
		r.entries = map[K]*list.Element{}
	}
	if e := r.entries[key]; e != nil {
		r.remove(e)
	}
	r.entries[key] = r.order.PushBack(&remembered[K, V]{key, value, time.Now()})
	r.tidy()
}

// forget forgets an entry, if it is there.
func (r *recent[K, V]) forget(key K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[key]; e != nil {
		r.remove(e)
	}
}

func (r *recent[K, V]) get(key K) (value V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tidy()
	if e := r.entries[key]; e != nil {
		return e.Value.(*remembered[K, V]).value, true
	}
	return value, false
}

// all is a copy of what is remembered.
func (r *recent[K, V]) all() map[K]V {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tidy()
	all := make(map[K]V, len(r.entries))
	for key, e := range r.entries {
		all[key] = e.Value.(*remembered[K, V]).value
	}
	return all
}

func (r *recent[K, V]) tidy() {
	for e := r.order.Front(); e != nil; e = r.order.Front() {
		if r.order.Len() <= r.limit && time.Since(e.Value.(*remembered[K, V]).at) < r.keep {
			return
		}
		r.remove(e)
	}
}

func (r *recent[K, V]) remove(e *list.Element) {
	delete(r.entries, r.order.Remove(e).(*remembered[K, V]).key)
}
