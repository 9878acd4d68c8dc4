package call

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

// Live says which of these calls go on: on one of the FreeSWITCHes, whoever
// follows them. With an error that is not known.
func (d *Desk) Live(ctx context.Context, calls []string) (map[string]bool, error) {
	live := map[string]bool{}
	if len(d.cfg.Switches) == 0 {
		return nil, errors.New("call: ask for calls: there is no switch to ask")
	}
	for name, link := range d.cfg.Switches {
		asked := map[string]bool{}
		for _, id := range calls {
			asked[id] = isUUID(id)
		}
		now, err := surveyAll(ctx, link, asked)
		if err != nil {
			return nil, fmt.Errorf("call: ask switch %s for calls: %w", name, err)
		}
		for uuid, data := range now.dumps {
			live[uuid], live[data.Variable("tapedeck_call")] = true, true
		}
	}
	return live, nil
}

// richer is the history that knows more: the one given, or what lies beside the
// files.
func richer(id string, history, drafts []recording.Sidecar) []recording.Sidecar {
	var beside []recording.Sidecar
	for _, s := range drafts {
		if s.Call == id {
			beside = append(beside, s)
		}
	}
	if notes(beside) > notes(history) {
		return beside
	}
	return history
}

func notes(history []recording.Sidecar) int {
	most := -1
	for _, s := range history {
		most = max(most, len(s.Trace))
	}
	return most
}

// fromControl is what a call's snapshot alone says of its file: its owner was
// killed before it wrote more down.
func fromControl(live calls.Call) []recording.Sidecar {
	k, err := readControl(live.Snapshot)
	if err != nil {
		return nil
	}
	s := recording.Sidecar{
		Version: recording.Version, Call: k.Call, Organisation: k.Organisation, Direction: k.Direction.String(), External: k.External,
		Switch: k.Switch, Anchor: k.holder(), Started: k.Began, Answered: k.Answered, Trigger: k.Trigger, RequestedBy: k.By, Decided: k.Decided,
	}
	if k.Part > 1 {
		s.Part = k.Part
	}
	state := spanRecording
	if k.File == toggle.ArmedMasked {
		state = spanPaused
	}
	s.Spans = []recording.Span{{State: state, Cause: k.Decided}}
	for _, p := range k.Passed {
		el, err := flow.ParseElement(p.Element)
		if err != nil {
			continue
		}
		s.Trace = append(s.Trace, recording.Note{At: k.Began, What: "entered", Element: p.Element, Setting: p.Setting.String()})
		switch {
		case el.Kind == flow.Number:
			s.Number = el.ID
		case el.Kind == flow.User && !slices.Contains(s.Users, el.ID):
			s.Users = append(s.Users, el.ID)
		}
	}
	return []recording.Sidecar{s}
}

// buried describes the files of a call that ended while nobody followed it.
func (d *Desk) buried(organisation, id string, history []recording.Sidecar) {
	for _, s := range history {
		if s.Call == id && s.Organisation == organisation {
			d.finishing[id]++
			d.sends.Go(func() { d.conclude(s, nil) })
		}
	}
	if d.finishing[id] == 0 {
		d.cfg.Store.EndCall(organisation, id)
	}
	d.cfg.Meter.Adopted("ended")
	d.cfg.Log.Info("call ended while nobody followed it", "call", id, "files", len(history))
}

// conclude hands a draft over to the archive, with what follows from its file. A
// call that nobody was seen to answer may have one all the same; without one,
// and without a problem, there is nothing to be told. It waits for the disk.
func (d *Desk) conclude(s recording.Sidecar, groups []string) {
	if there, better := d.knownBetter(s); better {
		d.cfg.Archive.Discard(s.Stem())
		d.cfg.Store.SaveRecording(Index(d.cfg.Recordings, there, groups)) // whoever wrote it may not have come to that
		d.post(func() { d.described(s.Organisation, s.Call) })
		return
	}
	if s.File == nil && len(s.Problems) == 0 {
		file, err := d.cfg.Recordings.PartPath(s.Organisation, s.Started, s.Call, max(1, s.Part))
		if err == nil {
			_, err = d.cfg.Archive.Probe(file)
		}
		if err != nil {
			d.cfg.Archive.Discard(s.Stem())
			d.post(func() { d.described(s.Organisation, s.Call) })
			return
		}
		s.File = &recording.File{Name: filepath.Base(file)}
		s.Problems = []string{recording.NoStopEvent + ": the call was answered while Tapedeck did not follow it"}
	}
	if s.Ended.IsZero() {
		s.Ended = d.lastWrite(s)
	}
	if s.File != nil && s.File.Stopped.IsZero() {
		s = prolonged(s)
	}
	d.hand(s, groups)
}

// knownBetter is the sidecar of a recording that was described already by an
// instance that knew more of its call: its owner was only cut off from Redis, or
// died just then.
func (d *Desk) knownBetter(s recording.Sidecar) (there recording.Sidecar, better bool) {
	file, err := d.cfg.Recordings.PartPath(s.Organisation, s.Started, s.Call, max(1, s.Part))
	if err != nil {
		return there, false
	}
	there, err = recording.ReadSidecar(recording.SidecarPath(file))
	return there, err == nil && there.Stem() == s.Stem() && there.Organisation == s.Organisation && len(there.Trace) > len(s.Trace)
}

// prolonged is a draft whose file was written on after it was made: what it held
// then it held to its end, because nobody told FreeSWITCH otherwise.
func prolonged(s recording.Sidecar) recording.Sidecar {
	if !s.HasProblem(recording.NoStopEvent) {
		s.Problems = append(slices.Clone(s.Problems), recording.NoStopEvent)
	}
	if n := len(s.Spans); n > 0 && s.Next == "" {
		s.Spans = slices.Clone(s.Spans)
		s.Spans[n-1].ToMS = math.MaxInt32 // the file's end is nearer
	}
	return s
}

// lastWrite is when a file was written last: its call cannot have ended before.
func (d *Desk) lastWrite(s recording.Sidecar) time.Time {
	file, err := d.cfg.Recordings.PartPath(s.Organisation, s.Started, s.Call, max(1, s.Part))
	if err == nil {
		if at, err := d.cfg.Archive.LastWrite(file); err == nil {
			return at
		}
	}
	return time.Now()
}

// reapEvery is how soon files are found whose call ended while nobody followed
// it, and of which Redis does not know.
const reapEvery = 5 * time.Second

// reap describes, from time to time, the files that somebody began to describe
// and whose call is over.
func (d *Desk) reap(ctx context.Context) {
	tick := time.NewTicker(reapEvery)
	defer tick.Stop()
	before := map[string]bool{}
	for {
		select {
		case <-tick.C:
			before = d.reapOnce(ctx, before)
		case <-ctx.Done():
			return
		}
	}
}

// reapOnce buries the calls that were over the last time too, and returns those
// that are: whoever follows one has had the time to describe it.
func (d *Desk) reapOnce(ctx context.Context, before map[string]bool) (over map[string]bool) {
	left := map[string][]recording.Sidecar{}
	var drafts []recording.Sidecar
	read := d.drafts()
	if len(read) == 0 || !d.ask(ctx, func() { drafts = d.strays(read) }) || len(drafts) == 0 {
		return nil
	}
	followed, err := d.followedElsewhere(ctx)
	if err != nil {
		return before
	}
	for _, s := range drafts {
		if followed[s.Call] {
			continue
		}
		if d.isOver(ctx, s) {
			left[s.Call] = append(left[s.Call], s)
		}
	}
	over = map[string]bool{}
	for id, history := range left {
		over[id] = true
		if before[id] {
			d.post(func() { d.bury(history) })
		}
	}
	return over
}

// leftAlone is how long a file has not been written whose call is over, if there
// is no FreeSWITCH to ask.
const leftAlone = 10 * time.Minute

// isOver reports whether the call of a draft is.
func (d *Desk) isOver(ctx context.Context, s recording.Sidecar) bool {
	if link := d.cfg.Switches[s.Switch]; link != nil {
		now, err := survey(ctx, link, []string{s.Anchor})
		return err == nil && !now.live.has(s.Anchor)
	}
	file, err := d.cfg.Recordings.PartPath(s.Organisation, s.Started, s.Call, max(1, s.Part))
	if err != nil {
		return false
	}
	at, err := d.cfg.Archive.LastWrite(file)
	return err == nil && time.Since(at) > leftAlone
}

// strays are those drafts that are of no call which is live here.
func (d *Desk) strays(drafts []recording.Sidecar) []recording.Sidecar {
	var strays []recording.Sidecar
	for _, s := range drafts {
		if d.calls[s.Call] == nil && d.finishing[s.Call] == 0 {
			strays = append(strays, s)
		}
	}
	return strays
}

// followedElsewhere are the calls that Redis knows of.
func (d *Desk) followedElsewhere(ctx context.Context) (map[string]bool, error) {
	if d.cfg.Store.Alone() {
		return nil, nil
	}
	calls, err := d.cfg.Store.Calls(ctx)
	followed := make(map[string]bool, len(calls))
	for _, c := range calls {
		followed[c.ID] = true
	}
	return followed, err
}

// buryGone buries, of a switch's drafts, those whose leg it has no more.
func (d *Desk) buryGone(on string, now scene) {
	left := map[string][]recording.Sidecar{}
	for _, s := range d.strays(now.drafts) {
		if s.Switch == on && !now.live.has(s.Anchor) {
			left[s.Call] = append(left[s.Call], s)
		}
	}
	for _, history := range left {
		d.bury(history)
	}
}

func (d *Desk) bury(history []recording.Sidecar) {
	if s := history[0]; d.calls[s.Call] == nil && d.finishing[s.Call] == 0 {
		d.buried(s.Organisation, s.Call, history)
	}
}

// drafts are the descriptions that somebody began. It waits for the disk, and is
// not for the Desk's goroutine.
func (d *Desk) drafts() []recording.Sidecar {
	drafts, err := d.cfg.Archive.Drafts()
	if err != nil {
		d.cfg.Log.Warn("drafts of live recordings not read", "error", err)
	}
	return drafts
}
