package web

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"tapedeck/console/identity"
)

var labEpoch = time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)

func TestDelayGrows(t *testing.T) {
	a, now := newAttempts(), labEpoch
	home := netip.MustParseAddr("192.0.2.1")
	var waits []time.Duration
	for range 16 {
		wait := a.begin("anna", home, now)
		if wait > 0 {
			if again := a.begin("anna", home, now.Add(wait-1)); again != 1 {
				t.Fatalf("after %v there are %v left, want 1ns: attempts that are refused must not count", wait-1, again)
			}
			now = now.Add(wait)
			if again := a.begin("anna", home, now); again != 0 {
				t.Fatalf("after the wait: %v", again)
			}
		}
		waits = append(waits, wait)
	}
	want := "[0s 0s 0s 0s 0s 2s 4s 8s 16s 32s 1m4s 2m8s 4m16s 8m32s 15m0s 15m0s]"
	if got := fmt.Sprint(waits); got != want {
		t.Errorf("waits\n%s, want\n%s", got, want)
	}
	if wait := a.begin("anna", netip.MustParseAddr("192.0.2.2"), now); wait != 0 {
		t.Errorf("from elsewhere: %v: nobody can lock others out", wait)
	}
	if wait := a.begin("bob", home, now); wait != 0 {
		t.Errorf("somebody else: %v", wait)
	}
	a.right("anna", home)
	if wait := a.begin("anna", home, now); wait != 0 {
		t.Errorf("after a success: %v", wait)
	}
}

// TestUntried: an attempt whose password was not compared does not count, and the
// attempts before it still do.
func TestUntried(t *testing.T) {
	a, now := newAttempts(), labEpoch
	home := netip.MustParseAddr("192.0.2.1")
	for i := range pairPace.free - 1 {
		for range 2 * addressPace.free {
			if wait := a.begin("anna", home, now); wait != 0 {
				t.Fatalf("after %d attempts: %v", i, wait)
			}
			a.untried("anna", home)
		}
		a.begin("anna", home, now)
	}
	a.begin("anna", home, now)
	a.untried("anna", home)
	a.begin("anna", home, now)
	if wait := a.begin("anna", home, now); wait != pairPace.first {
		t.Errorf("after %d attempts: %v, want %v", pairPace.free, wait, pairPace.first)
	}
}

func TestDelayIsForgotten(t *testing.T) {
	a, now := newAttempts(), labEpoch
	home := netip.MustParseAddr("192.0.2.1")
	for range pairPace.free {
		a.begin("anna", home, now)
	}
	if a.begin("anna", home, now) == 0 {
		t.Fatal("no delay")
	}
	now = now.Add(forgetAfter)
	for i := range pairPace.free {
		if wait := a.begin("anna", home, now); wait != 0 {
			t.Errorf("an hour later, attempt %d: %v", i, wait)
		}
	}
	if a.pairs.order.Len() != 1 || len(a.pairs.lines) != 1 {
		t.Errorf("%d, %d remembered", a.pairs.order.Len(), len(a.pairs.lines))
	}
}

// TestAddressDelay: a client that tries one password on many accounts is slowed down,
// and so is its whole IPv6 network. One account of its own does not help it.
func TestAddressDelay(t *testing.T) {
	for _, addresses := range [][2]string{{"192.0.2.1", "192.0.2.1"}, {"2001:db8::1", "2001:db8::ffff:1"}} {
		a, now := newAttempts(), labEpoch
		one, other := netip.MustParseAddr(addresses[0]), netip.MustParseAddr(addresses[1])
		for i := range addressPace.free {
			if wait := a.begin(fmt.Sprint("account", i), one, now); wait != 0 {
				t.Fatalf("attempt %d: %v", i, wait)
			}
			if a.begin("mine", one, now) == 0 {
				a.right("mine", one)
			}
		}
		if wait := a.begin("anna", other, now); wait != addressPace.first {
			t.Errorf("from %s: %v, want %v", other, wait, addressPace.first)
		}
		now = now.Add(addressPace.first)
		if wait := a.begin("mine", one, now); wait != 0 {
			t.Errorf("after the wait: %v", wait)
		}
		a.right("mine", one)
		if wait := a.begin("anna", other, now); wait == 0 {
			t.Error("a success of one's own account clears the address")
		}
		if wait := a.begin("anna", netip.MustParseAddr("2001:db8:0:1::1"), now); wait != 0 {
			t.Errorf("from another network: %v", wait)
		}
	}
}

// TestAttemptsAreBounded: memory does not grow, and the latest attempts are remembered.
func TestAttemptsAreBounded(t *testing.T) {
	a, now := newAttempts(), labEpoch
	addr := netip.MustParseAddr("10.0.0.0")
	for i := range 3 * maxRemembered {
		addr = addr.Next()
		a.begin(fmt.Sprint(i), addr, now)
	}
	if n := a.pairs.order.Len(); n != maxRemembered || len(a.pairs.lines) != n {
		t.Errorf("%d and %d accounts remembered, want %d", n, len(a.pairs.lines), maxRemembered)
	}
	if n := a.addresses.order.Len(); n != maxRemembered || len(a.addresses.lines) != n {
		t.Errorf("%d and %d addresses remembered, want %d", n, len(a.addresses.lines), maxRemembered)
	}
	if a.addresses.lines[identity.Network(addr)] == nil {
		t.Error("the last is forgotten")
	}
	a.begin("x", netip.Addr{}, now) // an address that is not known
	a.begin("x", netip.Addr{}, now.Add(forgetAfter))
	if a.pairs.order.Len() != 1 {
		t.Errorf("%d remembered after an hour", a.pairs.order.Len())
	}
}
