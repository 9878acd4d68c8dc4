// Package recent remembers the latest keys and their values for a while.
package recent

import (
	"container/list"
	"sync"
	"time"
)

// Map keeps what was put into it, Limit entries at most, those that were put
// last, and none longer than Keep. Its methods may be called by any number of
// goroutines; Limit and Keep must not be changed once it is used.
type Map[K comparable, V any] struct {
	Limit int
	Keep  time.Duration

	mu      sync.Mutex
	entries map[K]*list.Element
	order   list.List // of *entry, the oldest first
}

type entry[K comparable, V any] struct {
	key   K
	value V
	at    time.Time
}

// Put keeps a value. The time of a key that is there begins anew.
func (m *Map[K, V]) Put(key K, value V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[K]*list.Element{}
	}
	if e := m.entries[key]; e != nil {
		m.remove(e)
	}
	m.entries[key] = m.order.PushBack(&entry[K, V]{key, value, time.Now()})
	m.tidy()
}

// Forget removes a key, if it is there.
func (m *Map[K, V]) Forget(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[key]; e != nil {
		m.remove(e)
	}
}

// Get is the value of a key; not ok: it is not there, or not any more.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tidy()
	if e := m.entries[key]; e != nil {
		return e.Value.(*entry[K, V]).value, true
	}
	return value, false
}

// All is a copy of what is there.
func (m *Map[K, V]) All() map[K]V {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tidy()
	all := make(map[K]V, len(m.entries))
	for key, e := range m.entries {
		all[key] = e.Value.(*entry[K, V]).value
	}
	return all
}

func (m *Map[K, V]) tidy() {
	for e := m.order.Front(); e != nil; e = m.order.Front() {
		if m.order.Len() <= m.Limit && time.Since(e.Value.(*entry[K, V]).at) < m.Keep {
			return
		}
		m.remove(e)
	}
}

func (m *Map[K, V]) remove(e *list.Element) {
	delete(m.entries, m.order.Remove(e).(*entry[K, V]).key)
}
