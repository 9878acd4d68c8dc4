package esltest_test

import (
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

const toggled = "'Event-Name=CUSTOM,Event-Subclass=tapedeck::toggle'"

// bound binds *1 of the party that the caller talks to.
func bound(t *testing.T, l *link, a *esltest.Channel, action string) {
	t.Helper()
	for _, execute := range []string{"bind_digit_action\nexecute-app-arg: td,~^\\*1$," + action + ",peer,peer", "digit_action_set_realm\nexecute-app-arg: td,peer"} {
		if got := l.ask("sendmsg " + a.UUID() + "\ncall-command: execute\nexecute-app-name: " + execute); got != "+OK" {
			t.Error(got)
		}
	}
}

// TestPressUnseen: what can be found of a press that happened while nobody listened.
func TestPressUnseen(t *testing.T) {
	sw, l := newSwitch(t)
	a := caller(sw)
	b := ring(a, "1001")
	b.Answer()
	bound(t, l, a, "exec:event,"+toggled)
	sw.DropLinks()
	a.PressDigits("*1") // the outside party's digits are not bound
	b.PressDigits("5")
	if a.Get("last_matching_digits")+b.Get("last_matching_digits") != "" || b.Get("last_non_matching_digits") != "5" {
		t.Error("digits that match nothing run a binding, or are not in last_non_matching_digits")
	}
	b.PressDigits("*1")
	l = login(t, listen(t, sw))
	l.ask("event plain ALL")
	for _, want := range []string{"*1", "", "*1"} {
		if want == "" {
			l.ask("api uuid_setvar " + b.UUID() + " last_matching_digits")
			want = "_undef_"
		} else if b.Get("last_matching_digits") == "" {
			b.PressDigits("*1")
		}
		if got := l.ask("api uuid_getvar " + b.UUID() + " last_matching_digits"); got != want {
			t.Errorf("last_matching_digits is %q, want %q", got, want)
		}
	}
	if got := a.Get("last_matching_digits"); got != "" {
		t.Errorf("on the outside party's leg: %q", got)
	}
}

// TestPressCounted: a binding with exec[i] that runs two applications.
func TestPressCounted(t *testing.T) {
	sw, l := newSwitch(t)
	a := caller(sw)
	b := ring(a, "1001")
	b.Answer()
	bound(t, l, a, "exec[i]:execute_extension,'m:^:push:presses=x^event:Event-Name=CUSTOM,Event-Subclass=tapedeck::toggle,Digits=\\${last_matching_digits} inline'")
	for _, want := range []string{"x", "ARRAY::x|:x", "ARRAY::x|:x|:x"} {
		before := sw.Now()
		b.PressDigits("*1")
		e := l.event("CUSTOM")
		if e.get("variable_presses") != want || e.get("Unique-ID") != b.UUID() || e.get("Digits") != "*1" {
			t.Errorf("presses %q of %s, digits %q; want %q", e.get("variable_presses"), e.get("Unique-ID"), e.get("Digits"), want)
		}
		if got := sw.Now().Sub(before); got != 100*time.Millisecond {
			t.Errorf("two digits took %v", got)
		}
	}
}

// TestTwoBindings: the later of two bindings with the same pattern counts, as measured.
func TestTwoBindings(t *testing.T) {
	sw, l := newSwitch(t)
	a := caller(sw)
	b := ring(a, "1001")
	b.Answer()
	bound(t, l, a, "exec:set,which=first")
	bound(t, l, a, "exec:set,which=second")
	b.PressDigits("*1")
	if got := b.Get("which"); got != "second" {
		t.Errorf("the %s ran", got)
	}
}

// TestPressOnHold: the press comes when the hold ends, as measured.
func TestPressOnHold(t *testing.T) {
	sw, l := newSwitch(t)
	a := caller(sw)
	b := ring(a, "1001")
	b.Answer()
	bound(t, l, a, "exec:event,"+toggled)
	b.Hold()
	b.PressDigits("*1")
	if got := names(l.drain(), "DTMF", "CUSTOM"); len(got) > 0 || b.Get("last_matching_digits")+b.Get("last_non_matching_digits") != "" {
		t.Errorf("while it is held: %v", got)
	}
	b.Unhold()
	if e := l.event("DTMF"); e.get("DTMF-Digit") != "*" {
		t.Errorf("%v", e)
	}
	if e := l.event("CUSTOM"); e.get("Event-Subclass") != "tapedeck::toggle" || e.get("variable_last_matching_digits") != "*1" {
		t.Errorf("%v", e)
	}
}
