package call

import (
	"context"
	"time"

	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/store/index"
)

// Link is the watch link to one FreeSWITCH. Post writes all commands at once, behind
// those of every Post before it, without waiting; the function that it returns waits
// for the replies, until ctx ends. SendAll writes all commands at once and
// returns one reply for each, in the same order.
type Link interface {
	SendAll(ctx context.Context, commands []esl.Command) ([]esl.Reply, error)
	Post(ctx context.Context, commands []esl.Command) (wait func() ([]esl.Reply, error))
}

// Meter counts. Its methods are called by several goroutines and must not block.
type Meter interface {
	// Call counts a call that reached the socket. direction is inbound, outbound,
	// internal or unknown; state is on, off, disabled (an organisation without
	// recording) or unknown (no organisation was found).
	Call(direction, state string)
	// Live reports how many calls are live, how many of them are being recorded, and
	// how many recordings are paused.
	Live(calls, recording, paused int)
	// Decision reports the time from the channel data to the reply to the last
	// command.
	Decision(time.Duration)
	// Command counts a recording command: result is ok, refused, missing,
	// unanswered or unsent.
	Command(command, result string)
	// Toggle counts a press: method is dtmf, record_key, blind_transfer, api or
	// auto_resume; result is ok or why it was refused.
	Toggle(method, result string)
	// Recording counts a file that was examined: result is complete or problem, or
	// removed if nobody wanted it.
	Recording(result string)
	// Problem counts a problem of a recording.
	Problem(problem string)
	// Adopted counts a call that another Tapedeck has followed. outcome is
	// adopted, ended (nobody followed it when it did), failed or yielded (to another
	// instance).
	Adopted(outcome string)
	// UnknownAnswer counts a leg that answered on a call and is nobody's whom the
	// policy knows.
	UnknownAnswer()
	// Missing counts a recording that was wanted and did not start.
	Missing()
	// Event counts an event of the watch link by its name.
	Event(name string)
}

// Calls is the live calls as other instances see them, and who owns them
// (store/calls). Save and End must not block.
type Calls interface {
	Save(calls.Call)
	End(organisation, id string)
	Instance() string
	Alone() bool // no other instance can exist
	Holds() bool // false: our lease may have expired, and another instance may have our calls
	Alive(ctx context.Context, instance string) (bool, error)
	Claim(context.Context, calls.Call) (calls.Call, error)
	List(context.Context) ([]calls.Call, error)
}

// RecordingIndex is the index of recordings (store/index). Save does not block.
type RecordingIndex interface {
	Save(index.Recording)
}

// Archive keeps the sidecars beside the files. Draft, Finish and Discard must not
// block.
type Archive interface {
	Draft(recording.Sidecar)
	Finish(s recording.Sidecar, then func(recording.Sidecar, error))
	Discard(id string)
	// These may wait for the disk.
	Drafts() ([]recording.Sidecar, error)
	Probe(file string) (bytes int64, err error)
	LastWrite(file string) (time.Time, error)
}

// channelData is what FreeSWITCH says of a channel: an event, or the data that a leg
// brings to the socket.
type channelData interface {
	Get(header string) string
	Variable(name string) string
}
