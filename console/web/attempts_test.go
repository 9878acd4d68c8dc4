package web

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/console/identity"
)

// by is an attempt on an account that there is, in a browser that is not known.
func by(name string, from netip.Addr) attempt { return attempt{name: name, exists: true, from: from} }

func TestDelayGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts()
		home := netip.MustParseAddr("192.0.2.1")
		var waits []time.Duration
		for range 16 {
			wait := a.begin(by("anna", home))
			if wait > 0 {
				time.Sleep(wait - 1)
				if again := a.begin(by("anna", home)); again != 1 {
					t.Fatalf("after %v there are %v left, want 1ns: attempts that are refused must not count", wait-1, again)
				}
				time.Sleep(time.Nanosecond)
				if again := a.begin(by("anna", home)); again != 0 {
					t.Fatalf("after the wait: %v", again)
				}
			}
			waits = append(waits, wait)
		}
		want := "[0s 0s 0s 0s 0s 2s 4s 8s 16s 32s 1m4s 2m8s 4m16s 8m32s 15m0s 15m0s]"
		if got := fmt.Sprint(waits); got != want {
			t.Errorf("waits\n%s, want\n%s", got, want)
		}
		if wait := a.begin(by("anna", netip.MustParseAddr("192.0.2.2"))); wait != 0 {
			t.Errorf("from elsewhere: %v: nobody can lock others out", wait)
		}
		if wait := a.begin(by("bob", home)); wait != 0 {
			t.Errorf("somebody else: %v", wait)
		}
		a.right(by("anna", home))
		if wait := a.begin(by("anna", home)); wait != 0 {
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
				if wait := a.begin(by("anna", home)); wait != 0 {
					t.Fatalf("after %d attempts: %v", i, wait)
				}
				a.untried(by("anna", home))
			}
			a.begin(by("anna", home))
		}
		a.begin(by("anna", home))
		a.untried(by("anna", home))
		a.begin(by("anna", home))
		if wait := a.begin(by("anna", home)); wait != pairPace.first {
			t.Errorf("after %d attempts: %v, want %v", pairPace.free, wait, pairPace.first)
		}
	})
}

func TestDelayIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts()
		home := netip.MustParseAddr("192.0.2.1")
		for range pairPace.free {
			a.begin(by("anna", home))
		}
		if a.begin(by("anna", home)) == 0 {
			t.Fatal("no delay")
		}
		time.Sleep(forgetAfter)
		for i := range pairPace.free {
			if wait := a.begin(by("anna", home)); wait != 0 {
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
				if wait := a.begin(by(fmt.Sprint("account", i), one)); wait != 0 {
					t.Fatalf("attempt %d: %v", i, wait)
				}
				if a.begin(by("mine", one)) == 0 {
					a.right(by("mine", one))
				}
			}
			if wait := a.begin(by("anna", other)); wait != addressPace.first {
				t.Errorf("from %s: %v, want %v", other, wait, addressPace.first)
			}
			time.Sleep(addressPace.first)
			if wait := a.begin(by("mine", one)); wait != 0 {
				t.Errorf("after the wait: %v", wait)
			}
			a.right(by("mine", one))
			if wait := a.begin(by("anna", other)); wait == 0 {
				t.Error("a success of one's own account clears the address")
			}
			if wait := a.begin(by("anna", netip.MustParseAddr("2001:db8:0:1::1"))); wait != 0 {
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
			a.begin(by(fmt.Sprint(i), addr))
		}
		if n := len(a.pairs.kept.All()); n != maxRemembered {
			t.Errorf("%d accounts remembered, want %d", n, maxRemembered)
		}
		if n := len(a.addresses.kept.All()); n != maxRemembered {
			t.Errorf("%d addresses remembered, want %d", n, maxRemembered)
		}
		if _, there := a.addresses.kept.Get(identity.Network(addr).String()); !there {
			t.Error("the last is forgotten")
		}
		a.begin(by("x", netip.Addr{})) // an address that is not known
		time.Sleep(forgetAfter)
		a.begin(by("x", netip.Addr{}))
		if n := len(a.pairs.kept.All()); n != 1 {
			t.Errorf("%d remembered after an hour", n)
		}
	})
}

// TestAccountDelay: an account is slowed down wherever the attempts come from, and never
// for longer than a minute; its right password does not clear what others have tried.
func TestAccountDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, addr := newAttempts(), netip.MustParseAddr("198.51.100.0")
		from := func() netip.Addr { addr = addr.Next(); return addr }
		for i := range accountPace.free {
			if wait := a.begin(by("anna", from())); wait != 0 {
				t.Fatalf("attempt %d: %v", i, wait)
			}
		}
		if wait := a.begin(by("anna", from())); wait != accountPace.first {
			t.Errorf("from a new address: %v, want %v", wait, accountPace.first)
		}
		if wait := a.begin(by("bob", from())); wait != 0 {
			t.Errorf("another account: %v", wait)
		}
		own := attempt{name: "anna", exists: true, from: from(), browser: "her own"}
		for range 3 * accountPace.free {
			if wait := a.begin(own); wait != 0 {
				t.Errorf("the owner's browser: %v", wait)
			}
			a.right(own)
		}
		time.Sleep(accountPace.first)
		owner := by("anna", from())
		if wait := a.begin(owner); wait != 0 {
			t.Errorf("after the wait: %v", wait)
		}
		a.right(owner)
		for range 20 {
			time.Sleep(a.begin(by("anna", from())))
			a.begin(by("anna", from()))
		}
		if wait := a.begin(by("anna", from())); wait != accountPace.longest {
			t.Errorf("in the end: %v, want %v", wait, accountPace.longest)
		}
	})
}

// TestWaitFromTheAnswer: a wait counts from the answer, also if comparing the password has
// taken long.
func TestWaitFromTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, try := newAttempts(), by("anna", netip.MustParseAddr("192.0.2.1"))
		for range pairPace.free {
			a.begin(try)
		}
		time.Sleep(3 * pairPace.first)
		a.wrong(try)
		if wait := a.begin(try); wait != pairPace.first {
			t.Errorf("%v, want %v", wait, pairPace.first)
		}
	})
}

// TestBrowserDelay: a known browser has attempts of its own.
func TestBrowserDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, own := newAttempts(), attempt{name: "anna", exists: true, browser: "her own"}
		for range browserPace.free {
			a.begin(own)
		}
		if wait := a.begin(own); wait != browserPace.first {
			t.Errorf("%v, want %v", wait, browserPace.first)
		}
		if wait := a.begin(by("anna", own.from)); wait != 0 {
			t.Errorf("without the cookie: %v", wait)
		}
	})
}

// TestNobodiesPushNobodyOut: names that no account has do not make the attempts on an
// account forgotten.
func TestNobodiesPushNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, addr := newAttempts(), netip.MustParseAddr("10.0.0.0")
		for range accountPace.free {
			addr = addr.Next()
			a.begin(by("anna", addr))
		}
		for i := range 2 * maxRemembered {
			addr = addr.Next()
			a.begin(attempt{name: fmt.Sprint(i), from: addr})
		}
		if wait := a.begin(by("anna", addr.Next())); wait != accountPace.first {
			t.Errorf("%v, want %v", wait, accountPace.first)
		}
		if n := len(a.nobodies.kept.All()); n != maxRemembered {
			t.Errorf("%d names remembered, want %d", n, maxRemembered)
		}
	})
}
