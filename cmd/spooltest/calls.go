package spooltest

import (
	"strings"
	"time"

	"tapedeck/recording"
)

// Began is when the first of the tests' calls started.
var Began = time.Date(2026, 3, 9, 14, 30, 0, 250e6, time.UTC)

// SampleCall is a call of four seconds that alice paused in the third.
func SampleCall(id string, started time.Time) recording.Sidecar {
	yes := recording.Cause{Element: "number/+442079460001", Setting: "yes"}
	at := func(ms int) time.Time { return started.Add(time.Duration(ms) * time.Millisecond) }
	return recording.Sidecar{
		Version: recording.Version, Call: id, Organisation: "acme", Direction: "inbound", External: "+447700900123", Number: "+442079460001",
		Users: []string{"alice", "bob"}, Switch: "fs1", Anchor: id, Started: started, Answered: at(1000), Ended: at(5000),
		Trigger: "automatic", Decided: yes, File: &recording.File{Name: id + ".wav", Began: at(1000), Stopped: at(5000)},
		Spans: []recording.Span{
			{FromMS: 0, ToMS: 2000, State: recording.StateRecording, Cause: yes},
			{FromMS: 2000, ToMS: 3000, State: recording.StatePaused, Cause: recording.Cause{Toggle: "dtmf", User: "alice"}},
			{FromMS: 3000, ToMS: 4000, State: recording.StateRecording, Cause: recording.Cause{Toggle: "record_key", User: "bob"}},
		},
		Trace: []recording.Note{
			{At: started, What: "entered", Element: "number/+442079460001", Setting: "yes"},
			{At: at(4000), What: "pressed", Method: "record_key", User: "bob", Result: "ok"}, // later than the next one
			{At: at(3000), What: "pressed", Method: "dtmf", User: "alice", Result: "ok"},
		},
	}
}

// IDs begins the id of every call of the tests; one digit is missing.
const IDs = "c0ffee00-0000-4000-8000-00000000000"

// Variety returns calls of several kinds, from the oldest to the newest.
func Variety() []recording.Sidecar {
	first := SampleCall(IDs+"1", Began)

	second := SampleCall(IDs+"1", Began)
	second.Part, second.File.Name, second.Previous = 2, IDs+"1.part2.wav", IDs+"1.wav"

	out := SampleCall(IDs+"2", Began.Add(time.Hour))
	out.Direction, out.External, out.Trigger, out.RequestedBy, out.Users = "outbound", "07700900456", "on-demand", "bob", []string{"bob"}

	none := SampleCall(IDs+"3", Began.AddDate(0, 0, 1))
	none.File, none.Spans, none.Problems = nil, nil, []string{recording.NotStarted + ": -ERR no such channel"}

	north := SampleCall(IDs+"4", Began.AddDate(0, 0, 2))
	north.Organisation, north.Users = "north", []string{"nora"}
	north.Hold = &recording.Hold{By: "legal", Reason: "case 7", At: Began.AddDate(0, 1, 0)}
	return []recording.Sidecar{first, second, out, none, north}
}

// Variety puts the recordings of Variety.
func (s *Spool) Variety() {
	s.Helper()
	for _, c := range Variety() {
		s.Put(c)
	}
}

// KeptForAMonth is a policy with a retention for one organisation of two.
const KeptForAMonth = "version: 1\norganisations:\n  acme: { retention: 30d, numbers: { \"+442079460001\": { record: yes } } }\n  north: {}\n"

// AgedCall is SampleCall that ended so long ago; id is the last digit of its id.
func AgedCall(id string, by time.Duration) recording.Sidecar {
	return SampleCall(IDs+id, time.Now().Add(-by-5*time.Second).Truncate(time.Millisecond))
}

// Old returns calls of which, with KeptForAMonth, 1 is too old, 2 too but held, 3 too
// (a test may make it live), 4 not yet, 5 of an organisation that keeps its recordings
// for ever, and 6 of an organisation that is not in the policy. Each call's id ends in
// its number.
func Old() []recording.Sidecar {
	const day = 24 * time.Hour
	held, forEver, unknown := AgedCall("2", 31*day), AgedCall("5", 999*day), AgedCall("6", 999*day)
	held.Hold = &recording.Hold{By: "legal", Reason: "case 7"}
	forEver.Organisation = "north"
	unknown.Organisation = "bygone"
	return []recording.Sidecar{AgedCall("1", 31*day), held, AgedCall("3", 31*day), AgedCall("4", 29*day), forEver, unknown}
}

// Old puts the recordings of Old, and returns the paths of their sound by their number.
func (s *Spool) Old() map[string]string {
	s.Helper()
	paths := map[string]string{}
	for _, c := range Old() {
		paths[strings.TrimPrefix(c.Call, IDs)] = s.Put(c)
	}
	return paths
}
