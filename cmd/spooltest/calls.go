package spooltest

import (
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

// Variety is recordings of several kinds, from the oldest to the newest.
func (s *Spool) Variety() {
	s.Helper()
	s.Put(SampleCall(IDs+"1", Began))

	second := SampleCall(IDs+"1", Began)
	second.Part, second.File.Name, second.Previous = 2, IDs+"1.part2.wav", IDs+"1.wav"
	s.Put(second)

	out := SampleCall(IDs+"2", Began.Add(time.Hour))
	out.Direction, out.External, out.Trigger, out.RequestedBy, out.Users = "outbound", "07700900456", "on-demand", "bob", []string{"bob"}
	s.Put(out)

	none := SampleCall(IDs+"3", Began.AddDate(0, 0, 1))
	none.File, none.Spans, none.Problems = nil, nil, []string{recording.NotStarted + ": -ERR no such channel"}
	s.Put(none)

	north := SampleCall(IDs+"4", Began.AddDate(0, 0, 2))
	north.Organisation, north.Users = "north", []string{"nora"}
	north.Hold = &recording.Hold{By: "legal", Reason: "case 7", At: Began.AddDate(0, 1, 0)}
	s.Put(north)
}

// KeptForAMonth is a policy with a retention for one organisation of two.
const KeptForAMonth = "version: 1\norganisations:\n  acme: { retention: 30d, numbers: { \"+442079460001\": { record: yes } } }\n  north: {}\n"

// AgedCall is SampleCall that ended so long ago.
func AgedCall(id string, by time.Duration) recording.Sidecar {
	return SampleCall(IDs+id, time.Now().Add(-by-5*time.Second).Truncate(time.Millisecond))
}

// Old puts recordings of which 1 is too old, 2 too, but held, 3 too, but live,
// 4 not, 5 of somebody whose are kept for ever, 6 of somebody unknown.
func (s *Spool) Old() map[string]string {
	s.Helper()
	const day = 24 * time.Hour
	paths := map[string]string{}
	for id, age := range map[string]time.Duration{"1": 31 * day, "2": 31 * day, "3": 31 * day, "4": 29 * day, "5": 999 * day, "6": 999 * day} {
		c := AgedCall(id, age)
		switch id {
		case "2":
			c.Hold = &recording.Hold{By: "legal", Reason: "case 7"}
		case "5":
			c.Organisation = "north"
		case "6":
			c.Organisation = "bygone"
		}
		paths[id] = s.Put(c)
	}
	return paths
}
