package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
	"tapedeck/internal/testkit"
)

// TestKeyFiles: whatever is killed while a Record key is pressed, no file of the key is
// left.
func TestKeyFiles(t *testing.T) {
	ctx, binary := begin(t)
	nothing, yes := settings{onDemand: keyAndDigits}, settings{numbers: map[int]string{lab.ToAlice: "yes"}, onDemand: keyAndDigits}
	scenarios := []scenario{
		{"tapedeck is killed", nothing, keyWhileKilled},
		{"freeswitch is killed", yes, keyAndSwitchKilled}, // the last: the switch does not run afterwards
	}
	s := start(t, ctx, binary, scenarios)
	for i, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) { s.play(t, ctx, sc, lab.Org(i)) })
	}
}

// keyWhileKilled lets alice press her key while Tapedeck does not run. What FreeSWITCH
// writes then has lost its name soon after Tapedeck is back, while it is being written.
func keyWhileKilled(t *talk) {
	outside, alice := fromOutside(t)
	leg, since := t.leg(alice), t.suite.lab.Switch.Seen()
	t.suite.tapedeck.Kill()
	t.do(alice.RecordKey(t.ctx, "on"))
	e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "file of the key", func(e *esl.Event) bool {
		return lab.Is("RECORD_START", leg)(e) && strings.Contains(e.Get("Record-File-Path"), "/.keys/")
	})
	t.do(err)
	path := e.Get("Record-File-Path")
	t.speak(speech)
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the key has begun no file: %v", err)
	}
	t.do(t.suite.tapedeck.Restart(t.ctx))
	t.noKeyFiles(12 * time.Second)
	t.hangUp(outside, alice)
	t.noKeyFiles(time.Second)
	t.noFile()
}

// keyAndSwitchKilled kills FreeSWITCH during a recorded call, while a marker runs.
func keyAndSwitchKilled(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	t.speak(speech)
	t.recordKey(alice, "off", anchor, "paused")
	t.recordKey(alice, "on", anchor, "on")
	t.noKeyFiles(time.Second)
	t.suite.lab.Switch.Kill()
	t.noKeyFiles(time.Second)
}

// noKeyFiles asserts that the folder of the keys is empty within a time.
func (t *talk) noKeyFiles(within time.Duration) {
	t.Helper()
	folder := filepath.Join(t.suite.tapedeck.Recordings, ".keys")
	testkit.Within(t, within, "empty "+folder, func() bool {
		left, err := os.ReadDir(folder)
		return os.IsNotExist(err) || err == nil && len(left) == 0
	})
}
