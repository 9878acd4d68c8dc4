package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tapedeck/console"
	"tapedeck/esl/esltest"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

const switchable = `version: 1
region: GB
organisations:
  acme:
    domains: [acme.example.net]
    on_demand: { api: true }
    numbers: { "+442079460001": { record: yes } }
    users: { bob: { extension: "1002" }, dave: { extension: "1004", on_demand: disable } }
`

// newInstance is a daemon in this process.
func newInstance(t *testing.T, dir, policy, more string) *daemon {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := parseConfig("tapedeck.yaml", []byte(labConfig(dir, more)))
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDaemon(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	if err := d.waitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDoor: a live call is switched through whichever instance is asked, and the
// answer is the owner's.
func TestDoor(t *testing.T) {
	leakFree(t)
	redis := newRedis(t).start()
	sw, line := clockedSwitch(t, "fs1", "ClueCon", esltest.RealTime)
	dir := demoDir(t)
	more := redis.config() + "switches:\n" + line
	owner, other := newInstance(t, dir, switchable, more), newInstance(t, dir, switchable, more)
	o := office(sw, owner.addr.String())
	leg, err := o.Inbound(t.Context(), "+442079460001")
	if err != nil {
		t.Fatal(err)
	}
	phone := o.Ring(leg, "1002")
	phone.Answer()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for leg.Get("tapedeck_state") != "on" || !known(ctx, other, leg.UUID()) {
		select {
		case <-ctx.Done():
			t.Fatal("the call is not known everywhere")
		case <-time.After(5 * time.Millisecond):
		}
	}
	for _, tc := range []struct {
		through     *daemon
		call, user  string
		action      console.Action
		want        calls.State
		refused     string
		is          error
		onTheLeg    string
		description string
	}{
		{other, leg.UUID(), "", console.Pause, calls.Paused, "", nil, "paused", "by another instance, who talks"},
		{owner, leg.UUID(), "bob", console.Pause, calls.Paused, "", nil, "paused", "again, by its owner"},
		{owner, leg.UUID(), "1002", console.Resume, calls.On, "", nil, "on", "by its owner"},
		{other, leg.UUID(), "bob", console.Toggle, calls.Paused, "", nil, "paused", "turned over"},
		{other, leg.UUID(), "bob", console.Start, calls.On, "", nil, "on", "started"},
		{other, leg.UUID(), "dave", console.Pause, calls.On, "not_its_user", nil, "on", "a user who is not on it"},
		{owner, leg.UUID(), "nobody", console.Pause, calls.On, "not_its_user", nil, "on", "nobody"},
		{other, "no-such-call", "bob", console.Pause, calls.Off, "", toggle.ErrNoCall, "on", "an unknown call"},
		{owner, leg.UUID(), "bob", "explode", calls.Off, "", toggle.ErrBusy, "on", "an unknown action"},
	} {
		got, err := tc.through.door.Switch(ctx, tc.call, tc.user, "root", tc.action)
		refused, _ := errors.AsType[toggle.Refusal](err)
		switch {
		case tc.refused != "" && string(refused) != tc.refused, tc.is != nil && !errors.Is(err, tc.is),
			tc.refused == "" && tc.is == nil && err != nil, got != tc.want:
			t.Errorf("%s: %s, %v", tc.description, got, err)
		}
		for end := time.Now().Add(patience); leg.Get("tapedeck_state") != tc.onTheLeg; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: the leg says %s", tc.description, leg.Get("tapedeck_state"))
			}
		}
	}
	phone.Hangup("")
	leg.Hangup("")
}

// known reports whether an instance reads a call from Redis.
func known(ctx context.Context, d *daemon, id string) bool {
	calls, err := d.store.Calls(ctx)
	for _, c := range calls {
		if c.ID == id {
			return err == nil
		}
	}
	return false
}
