package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/spooltest"
	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
)

// TestServeKnowsOldRecordings: what lay there when it started is in its index, and
// what it records is listed, shown and verified.
func TestServeKnowsOldRecordings(t *testing.T) {
	daemontest.EachStore(t, func(t *testing.T, store string) {
		sw, line := daemontest.Switch(t, "fs1", "ClueCon", esltest.RealTime)
		d := daemontest.Start(t, spooltest.TwoOrganisations, store+"switches:\n"+line)
		d.Metric(`tapedeck_watch_up{switch="fs1"}`, "1")
		leg := d.Recorded(sw)
		sw.Talk(time.Second)
		leg.Hangup("")
		d.Metric(`tapedeck_recordings_total{result="complete"}`, "1")
		daemonFile := filepath.Join(d.Folder, "tapedeck.yaml")
		s := spool{&spooltest.Spool{T: t, Root: d.Folder, Config: daemonFile}}
		id := strings.TrimSuffix(filepath.Base(leg.Get("tapedeck_file")), ".wav")
		d.Until("it is in the list", func() bool { return strings.Contains(s.do("ls", "--number", "02079460001").stdout, "  "+id+"\n") })
		s.do("show", id).want(t, exitDone, "decided by    number/+442079460001 yes\n", "")
		d.Until("nothing is wrong", func() bool { return s.do("verify").code == exitDone }) // the waveform's picture may be on its way
		s.do("verify").want(t, exitDone, "verified 1 recording, ", "")
		if store != "" {
			return
		}
		_, _ = d.Stop()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var log testkit.Log
		ended := make(chan int, 1)
		go func() {
			ended <- run(ctx, []string{"serve", "--config", daemonFile}, environment{nil, io.Discard, &log, nil, false})
		}()
		log.Await(t, 1, `msg="recordings indexed" recordings=1`)
		cancel()
		if code := <-ended; code != exitDone {
			t.Errorf("exit code %d; the log:\n%s", code, &log)
		}
	})
}
