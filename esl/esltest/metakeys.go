package esltest

import (
	"fmt"
	"strings"
)

// metaKeys are what bind_meta_app has bound on a leg (switch_ivr_async.c,
// meta_on_dtmf). The key that begins a code is always `*` here.
type metaKeys struct {
	own, peers map[string]string // by digit: the application, of this leg's own digits and of its partner's
	on         [2]bool           // a `*` has come: own, partner's
}

// bindMetaApp is `bind_meta_app <digit> <a|b|ab> <flags> <app>`.
func (c *Channel) bindMetaApp(args string) error {
	a := separate(args, ' ', 4)
	if len(a) != 4 {
		return fmt.Errorf("esltest: bind_meta_app: syntax: %s", args)
	}
	if c.meta == nil {
		c.meta = &metaKeys{own: map[string]string{}, peers: map[string]string{}}
	}
	if strings.Contains(a[1], "a") {
		c.meta.own[a[0]] = a[3]
	}
	if strings.Contains(a[1], "b") {
		c.meta.peers[a[0]] = a[3]
	}
	return nil
}

// unbindMetaApp is `unbind_meta_app [<digit>]`. Without a digit all keys go. The key
// that begins a code goes only with them.
func (c *Channel) unbindMetaApp(args string) error {
	if args == "" {
		c.meta = nil
	}
	if c.meta != nil {
		delete(c.meta.own, args)
		delete(c.meta.peers, args)
	}
	return nil
}

// swallows reports whether the keys of the leg that are bound for its own digits (or
// its partner's) take a digit. Where nothing is bound for these, they take none.
func (m *metaKeys) swallows(digit string, partners bool) bool {
	if m == nil {
		return false
	}
	bound, i := m.own, 0
	if partners {
		bound, i = m.peers, 1
	}
	switch {
	case len(bound) == 0:
		return false
	case digit == "*":
		m.on[i] = !m.on[i]
		return m.on[i]
	}
	took := m.on[i]
	m.on[i] = false
	return took
}
