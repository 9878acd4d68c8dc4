package call

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"tapedeck/recording"
)

// keptArchive is an Archive that keeps what it was to finish.
type keptArchive struct {
	noArchive
	mu       *sync.Mutex
	finished *[]recording.Sidecar
}

func (k keptArchive) Finish(s recording.Sidecar, then func(recording.Sidecar, error)) {
	k.mu.Lock()
	*k.finished = append(*k.finished, s)
	k.mu.Unlock()
	k.noArchive.Finish(s, then)
}

// TestParties: the sidecar says who is in each channel, as FreeSWITCH really writes it.
func TestParties(t *testing.T) {
	for _, tc := range []struct {
		name, channels string // of the leg's codec; "" if FreeSWITCH does not say
		mono           bool   // asked for
		heard          string
		parties        []string
	}{
		{"one party in each channel", "", false, "0s-1s 440|2200", []string{"own", "heard"}},
		{"the codec has one channel", "1", false, "0s-1s 440|2200", []string{"own", "heard"}},
		{"the codec has two channels", "2", false, "0s-1s 440+2200|440+2200", []string{"both", "both"}},
		{"one channel", "1", true, "0s-1s 440+2200", []string{"both"}},
		{"one channel, the codec has two", "2", true, "0s-1s 440+2200|440+2200", []string{"both", "both"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fx := newFixture(t)
			kept := keptArchive{mu: &sync.Mutex{}, finished: &[]recording.Sidecar{}}
			p := testPolicy(t)
			fx.stop()
			fx.mono = tc.mono
			fx.serve(Config{Policy: testPolicyOf(p), Archive: kept})
			a := fx.inbound("+442079460001")
			if tc.channels != "" {
				a.Set("rtp_use_codec_channels", tc.channels)
			}
			fx.answer(fx.ring(a, "1004"))
			fx.talk(second)
			a.Hangup("")
			fx.wantWritten(tc.heard)
			fx.until("the file is described", func() bool {
				kept.mu.Lock()
				defer kept.mu.Unlock()
				return len(*kept.finished) == 1
			})
			if got := (*kept.finished)[0].File.Parties; !slices.Equal(got, tc.parties) {
				t.Errorf("parties %q, want %q", got, tc.parties)
			}
		})
	}
}

// TestRate: the rate is asked of FreeSWITCH for Tapedeck's own recording alone.
func TestRate(t *testing.T) {
	for rate, want := range map[int]string{0: "", 8000: ",record_sample_rate=8000", 16000: ",record_sample_rate=16000"} {
		fx := newFixture(t)
		p := testPolicy(t)
		fx.stop()
		fx.serve(Config{Policy: testPolicyOf(p), Rate: rate})
		a := fx.inbound("+442079460001")
		if got := a.Get("execute_on_answer_tapedeck_1"); !strings.HasSuffix(got, "tapedeck_call="+a.UUID()+want+"}") {
			t.Errorf("rate %d: %q", rate, got)
		}
		if got := a.Get("record_sample_rate"); got != "" {
			t.Errorf("rate %d: the leg has it, too: %q", rate, got)
		}
	}
}
