package e2e

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tapedeck/e2e/lab"
)

// What a telephone offers: names of FreeSWITCH.
const (
	opusMono   = "OPUS@48000h@20i@1c"
	opusStereo = "OPUS@48000h@20i@2c" // fmtp stereo=1
	g722       = "G722"
	g711       = "PCMU"
)

// Who is in the two channels of a file.
var (
	apart  = []string{"own", "heard"}
	inBoth = []string{"both", "both"}
)

// codecs are calls of outside parties with other codecs than G.711.
func codecs() []scenario {
	s := settings{numbers: map[int]string{lab.ToAlice: "yes"}, onDemand: digits}
	return []scenario{
		{"outside party with opus, mono", s, withCodec(opusMono, 48000, apart)},
		{"outside party with opus, stereo", s, withCodec(opusStereo, 48000, inBoth)},
		{"outside party with G.722", s, withCodec(g722, 16000, apart)},
	}
}

// withCodec is a call with a pause. The file has that rate, and its sidecar says who is
// in each channel.
func withCodec(codec string, rate int, parties []string) func(*talk) {
	return func(t *talk) {
		outside, err := t.suite.lab.Phones.CallWithCodec(t.ctx, "public", "+44"+t.org.OutsideNumber(0)[1:], t.org.Number(lab.ToAlice), codec)
		t.do(err)
		alice := t.rings(lab.UserAlice)
		t.pickUp(alice, outside)
		anchor := t.leg(outside)
		first := t.speak(speech)
		pause := period{from: t.pressFor(alice, anchor, "paused")}
		t.speak(speech)
		pause.to = t.pressFor(alice, anchor, "on")
		second := t.speak(speech)
		t.hangUp(outside, alice)
		r := t.recording()
		if r.Rate() != rate || !slices.Equal(r.about.File.Parties, parties) {
			t.Errorf("the file has %d Hz and the parties %q, want %d and %q", r.Rate(), r.about.File.Parties, rate, parties)
		}
		own, hears := only(lab.Outside), only(lab.Alice)
		if slices.Equal(parties, inBoth) {
			own, hears = only(lab.Outside, lab.Alice), only(lab.Outside, lab.Alice)
		}
		r.heardFromStart(own, hears)
		r.heard(first, own, hears)
		r.heard(second, own, hears)
		r.silentExactly(pause)
	}
}

// changesCodec is a call whose outside party sends a re-INVITE with another codec. The
// recording goes on in a further file.
func changesCodec(to string) func(*talk) {
	return func(t *talk) {
		t.expects = []string{"lost"}
		outside, alice := fromOutside(t)
		anchor := t.leg(outside)
		before, since := t.speak(speech), t.suite.lab.Switch.Seen()
		changed := time.Now()
		_, err := t.suite.lab.Phones.API(t.ctx, "uuid_media_reneg", outside.UUID+" ="+to)
		t.do(err)
		e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "further file", lab.Is("RECORD_START", anchor))
		t.do(err)
		after := t.speak(speech)
		pause := period{from: t.pressFor(alice, anchor, "paused")}
		t.speak(speech)
		pause.to = t.pressFor(alice, anchor, "on")
		t.speak(speech)
		t.hangUp(outside, alice)
		first, second := strings.Replace(e.Get("Record-File-Path"), ".part2.wav", ".wav", 1), e.Get("Record-File-Path")
		r := t.listenPart(first)
		r.heard(before, only(lab.Outside), only(lab.Alice))
		if late := r.Length - changed.Sub(r.began); late > maxWrongSpeed {
			t.Errorf("the first file goes on for %v after the change: %s", late, r.Sound)
		}
		own, hears := only(lab.Outside), only(lab.Alice)
		if to == opusStereo {
			own, hears = only(lab.Outside, lab.Alice), only(lab.Outside, lab.Alice)
		}
		t.expects = nil
		r = t.listen(second)
		r.heard(after, own, hears)
		r.silentExactly(pause)
	}
}

// maxWrongSpeed is how much may be written into a file after the codec changed: 60 ms at
// 48 kHz with two channels are 720 ms of a file at 8 kHz.
const maxWrongSpeed = 800 * time.Millisecond

// TestRates lets calls of each codec be recorded at each rate that may be set.
func TestRates(t *testing.T) {
	ctx, binary := begin(t)
	offers := []struct {
		name, codec string
		parties     []string
	}{{"opus, mono", opusMono, apart}, {"opus, stereo", opusStereo, inBoth}, {"G.722", g722, apart}, {"G.711", g711, apart}}
	rates := []int{8000, 16000}
	var scenarios []scenario
	for _, rate := range rates {
		for _, o := range offers {
			scenarios = append(scenarios, scenario{o.name, settings{numbers: map[int]string{lab.ToAlice: "yes"}, onDemand: digits}, withCodec(o.codec, rate, o.parties)})
		}
	}
	changes := len(scenarios)
	for _, to := range []string{opusMono, opusStereo, g722} {
		scenarios = append(scenarios, scenario{"G.711, then " + to, settings{numbers: map[int]string{lab.ToAlice: "yes"}, onDemand: digits}, changesCodec(to)})
	}
	s := start(t, ctx, binary, scenarios)
	t.Run("the codec changes", func(t *testing.T) {
		for i := changes; i < len(scenarios); i++ {
			t.Run(scenarios[i].name, func(t *testing.T) {
				t.Parallel()
				s.play(t, ctx, scenarios[i], lab.Org(i))
			})
		}
	})
	for i, rate := range rates {
		must(t, s.tapedeck.SetRate(ctx, strconv.Itoa(rate)))
		t.Run(strconv.Itoa(rate), func(t *testing.T) {
			for k, o := range offers {
				t.Run(o.name, func(t *testing.T) {
					t.Parallel()
					s.play(t, ctx, scenarios[i*len(offers)+k], lab.Org(i*len(offers)+k))
				})
			}
		})
	}
}
