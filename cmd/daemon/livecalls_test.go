package daemon_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/cmd/daemon"
	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/spooltest"
	"tapedeck/console/ops"
	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
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

// start runs a daemon whose files are in dir until the test ends.
func start(t *testing.T, dir, policy, more string) *daemon.Daemon {
	t.Helper()
	testkit.Replace(t, filepath.Join(dir, "policy.yaml"), policy)
	cfg, err := config.Parse("tapedeck.yaml", []byte(spooltest.DaemonFile(dir, more)))
	if err != nil {
		t.Fatal(err)
	}
	d, err := daemon.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	if err := d.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestPressThroughAnyInstance: a press on a live call is obeyed through whichever instance is asked, and the
// answer is the owner's.
func TestPressThroughAnyInstance(t *testing.T) {
	testkit.NoLeaks(t)
	redis := testkit.StartRedis(t)
	sw, line := daemontest.Switch(t, "fs1", "ClueCon", esltest.RealTime)
	dir := spooltest.Folder(t)
	more := daemontest.RedisLine(redis) + "switches:\n" + line
	owner, other := start(t, dir, switchable, more), start(t, dir, switchable, more)
	o := daemontest.Office(sw, owner.Addresses().Socket.String())
	leg, err := o.Inbound(t.Context(), "+442079460001")
	if err != nil {
		t.Fatal(err)
	}
	phone := o.Ring(leg, "1002")
	phone.Answer()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	for leg.Get("tapedeck_state") != "on" || !known(ctx, other, leg.UUID()) {
		select {
		case <-ctx.Done():
			t.Fatal("the call is not known everywhere")
		case <-time.After(5 * time.Millisecond):
		}
	}
	for _, tc := range []struct {
		through     *daemon.Daemon
		call, user  string
		action      ops.Action
		want        calls.State
		refused     string
		is          error
		onTheLeg    string
		description string
	}{
		{other, leg.UUID(), "", ops.Pause, calls.Paused, "", nil, "paused", "by another instance, who talks"},
		{owner, leg.UUID(), "bob", ops.Pause, calls.Paused, "", nil, "paused", "again, by its owner"},
		{owner, leg.UUID(), "1002", ops.Resume, calls.On, "", nil, "on", "by its owner"},
		{other, leg.UUID(), "bob", ops.Toggle, calls.Paused, "", nil, "paused", "turned over"},
		{other, leg.UUID(), "bob", ops.Start, calls.On, "", nil, "on", "started"},
		{other, leg.UUID(), "dave", ops.Pause, calls.On, "not_its_user", nil, "on", "a user who is not on it"},
		{owner, leg.UUID(), "nobody", ops.Pause, calls.On, "not_its_user", nil, "on", "nobody"},
		{other, "no-such-call", "bob", ops.Pause, calls.Off, "", toggle.ErrNoCall, "on", "an unknown call"},
		{owner, leg.UUID(), "bob", "explode", calls.Off, "", toggle.ErrBusy, "on", "an unknown action"},
	} {
		got, err := tc.through.Press(ctx, tc.call, tc.user, "root", tc.action)
		refused, _ := errors.AsType[toggle.Refusal](err)
		switch {
		case tc.refused != "" && string(refused) != tc.refused, tc.is != nil && !errors.Is(err, tc.is),
			tc.refused == "" && tc.is == nil && err != nil, got != tc.want:
			t.Errorf("%s: %s, %v", tc.description, got, err)
		}
		testkit.Until(t, tc.description+": the leg says "+tc.onTheLeg, func() bool { return leg.Get("tapedeck_state") == tc.onTheLeg })
	}
	phone.Hangup("")
	leg.Hangup("")
}

// known reports whether an instance reads a call from Redis.
func known(ctx context.Context, d *daemon.Daemon, id string) bool {
	calls, err := d.Calls(ctx)
	for _, c := range calls {
		if c.ID == id {
			return err == nil
		}
	}
	return false
}
