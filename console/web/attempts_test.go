package web

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/console/identity"
)

func TestDelayGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts()
		home := netip.MustParseAddr("192.0.2.1")
		var waits []time.Duration
		for range 16 {
			wait := a.begin("anna", home)
			if wait > 0 {
				time.Sleep(wait - 1)
				if again := a.begin("anna", home); again != 1 {
					t.Fatalf("after %v there are %v left, want 1ns: attempts that are refused must not count", wait-1, again)
				}
				time.Sleep(time.Nanosecond)
				if again := a.begin("anna", home); again != 0 {
					t.Fatalf("after the wait: %v", again)
				}
			}
			waits = append(waits, wait)
		}
		want := "[0s 0s 0s 0s 0s 2s 4s 8s 16s 32s 1m4s 2m8s 4m16s 8m32s 15m0s 15m0s]"
		if got := fmt.Sprint(waits); got != want {
			t.Errorf("waits\n%s, want\n%s", got, want)
		}
		if wait := a.begin("anna", netip.MustParseAddr("192.0.2.2")); wait != 0 {
			t.Errorf("from elsewhere: %v: nobody can lock others out", wait)
		}
		if wait := a.begin("bob", home); wait != 0 {
			t.Errorf("somebody else: %v", wait)
		}
		a.right("anna", home)
		if wait := a.begin("anna", home); wait != 0 {
			t.Errorf("after a success: %v", wait)
		}
	})
}

// TestUntried: an attempt whose password was not compared does not count, and the
// attempts before it still do.
func TestUntried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts()
		home := netip.MustParseAddr("192.0.2.1")
		for i := range pairPace.free - 1 {
			for range 2 * addressPace.free {
				if wait := a.begin("anna", home); wait != 0 {
					t.Fatalf("after %d attempts: %v", i, wait)
				}
				a.untried("anna", home)
			}
			a.begin("anna", home)
		}
		a.begin("anna", home)
		a.untried("anna", home)
		a.begin("anna", home)
		if wait := a.begin("anna", home); wait != pairPace.first {
			t.Errorf("after %d attempts: %v, want %v", pairPace.free, wait, pairPace.first)
		}
	})
}

func TestDelayIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts()
		home := netip.MustParseAddr("192.0.2.1")
		for range pairPace.free {
			a.begin("anna", home)
		}
		if a.begin("anna", home) == 0 {
			t.Fatal("no delay")
		}
		time.Sleep(forgetAfter)
		for i := range pairPace.free {
			if wait := a.begin("anna", home); wait != 0 {
				t.Errorf("an hour later, attempt %d: %v", i, wait)
			}
		}
		if n := len(a.pairs.kept.All()); n != 1 {
			t.Errorf("%d remembered", n)
		}
	})
}

// TestAddressDelay: a client that tries one password on many accounts is slowed down,
// and so is its whole IPv6 network. One account of its own does not help it.
func TestAddressDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, addresses := range [][2]string{{"192.0.2.1", "192.0.2.1"}, {"2001:db8::1", "2001:db8::ffff:1"}} {
			a := newAttempts()
			one, other := netip.MustParseAddr(addresses[0]), netip.MustParseAddr(addresses[1])
			for i := range addressPace.free {
				if wait := a.begin(fmt.Sprint("account", i), one); wait != 0 {
					t.Fatalf("attempt %d: %v", i, wait)
				}
				if a.begin("mine", one) == 0 {
					a.right("mine", one)
				}
			}
			if wait := a.begin("anna", other); wait != addressPace.first {
				t.Errorf("from %s: %v, want %v", other, wait, addressPace.first)
			}
			time.Sleep(addressPace.first)
			if wait := a.begin("mine", one); wait != 0 {
				t.Errorf("after the wait: %v", wait)
			}
			a.right("mine", one)
			if wait := a.begin("anna", other); wait == 0 {
				t.Error("a success of one's own account clears the address")
			}
			if wait := a.begin("anna", netip.MustParseAddr("2001:db8:0:1::1")); wait != 0 {
				t.Errorf("from another network: %v", wait)
			}
		}
	})
}

// TestAttemptsAreBounded: memory does not grow, and the latest attempts are remembered.
func TestAttemptsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts()
		addr := netip.MustParseAddr("10.0.0.0")
		for i := range 3 * maxRemembered {
			addr = addr.Next()
			a.begin(fmt.Sprint(i), addr)
		}
		if n := len(a.pairs.kept.All()); n != maxRemembered {
			t.Errorf("%d accounts remembered, want %d", n, maxRemembered)
		}
		if n := len(a.addresses.kept.All()); n != maxRemembered {
			t.Errorf("%d addresses remembered, want %d", n, maxRemembered)
		}
		if _, there := a.addresses.kept.Get(identity.Network(addr)); !there {
			t.Error("the last is forgotten")
		}
		a.begin("x", netip.Addr{}) // an address that is not known
		time.Sleep(forgetAfter)
		a.begin("x", netip.Addr{})
		if n := len(a.pairs.kept.All()); n != 1 {
			t.Errorf("%d remembered after an hour", n)
		}
	})
}
