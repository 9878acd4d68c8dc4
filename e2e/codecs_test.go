package e2e

import (
	"slices"
	"strconv"
	"testing"

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
	s := start(t, ctx, binary, scenarios)
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
