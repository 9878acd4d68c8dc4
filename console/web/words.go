package web

import (
	"strings"

	"tapedeck/recording"
	"tapedeck/toggle"
)

// problemView is one problem of a recording, in words.
type problemView struct {
	Label   string // a few words
	Meaning string // what it means for whoever hears the recording
	Detail  string // what was written down
}

// problemWords says what the problems of a recording mean.
var problemWords = map[string]string{
	recording.NotStarted:    "It should have been recorded, but no file was begun.",
	recording.MaskRefused:   "FreeSWITCH would not silence the file for a pause, so the recording was ended.",
	recording.UnmaskRefused: "FreeSWITCH would not end a pause: silence may go on where there should be speech.",
	recording.Lost:          "The recording ended before it should have.",
	recording.Unconfirmed:   "FreeSWITCH did not confirm a command, so it is not certain what the file holds there.",
	recording.FileMissing:   "The recording was begun, but there is no file.",
	recording.NotGrowing:    "The file did not grow while it should have.",
	recording.Short:         "The file is shorter than the time in which it was written.",
	recording.SpeechInPause: "There is sound in a stretch that should be silent because it was paused.",
	recording.Silent:        "There is only silence in a stretch that should hold speech.",
	recording.NoStopEvent:   "FreeSWITCH did not say when the recording ended. The end is taken from the file.",
	recording.FileRepaired:  "The file's header was never finished. It was put right; the sound is untouched.",
	recording.Disk:          "The disk refused something while this was recorded.",
	recording.StateUnknown:  "It is not known what a part of the file holds, or when.",
	recording.Unreadable:    "The file is no WAV that can be read.",
}

func problemOf(text string) problemView {
	code, detail, _ := strings.Cut(text, ":")
	return problemView{code, problemWords[code], strings.TrimSpace(detail)}
}

// elementWords returns an element of the policy in words: "ring group sales".
func elementWords(element string) string {
	kind, id, ok := strings.Cut(element, "/")
	if !ok {
		return element
	}
	if kind == "ring_group" {
		kind = "ring group"
	}
	return kind + " " + id
}

// settingWords says what a setting asks for.
var settingWords = map[string]string{
	"yes":       "says yes",
	"no":        "says no",
	"force":     "says that it must be recorded",
	"never":     "says that it must never be recorded",
	"dont-care": "has no opinion",
}

// methodWords says by which method a person pressed.
var methodWords = map[string]string{
	string(toggle.DTMF):          "with phone keys",
	string(toggle.RecordKey):     "with the record key",
	string(toggle.BlindTransfer): "by a blind transfer",
	string(toggle.API):           "from the console or the API",
	recording.AutoResume:         "",
}

// refusalWords says why a press was not obeyed.
var refusalWords = map[toggle.Refusal]string{
	toggle.NoRecording:  "nothing is recorded for this organisation",
	toggle.NotItsUser:   "not a user of this call's organisation",
	toggle.NotGranted:   "the organisation does not allow this method",
	toggle.UserDisabled: "this user may not switch recordings",
	toggle.Locked:       "the recording is locked by the policy",
	toggle.Elsewhere:    "another instance follows a recording of the same conference room",
}

func refusalOf(word string) string {
	if words, ok := refusalWords[toggle.Refusal(word)]; ok {
		return words
	}
	return word
}

// person returns a user's id, or "somebody".
func person(user string) string {
	if user == "" {
		return "somebody"
	}
	return user
}

// switchedBy says who pressed and how: "alice, with phone keys", or "anna, for alice"
// if an account pressed in a user's name.
func switchedBy(user, method, account string) string {
	switch {
	case account != "" && user != "" && user != account:
		return account + ", for " + user + ", " + methodWords[method]
	case account != "":
		user = account
	}
	return strings.TrimSuffix(person(user)+", "+methodWords[method], ", ")
}

// causeWords says the cause of a span: "by alice, with phone keys", "number +44… says
// yes".
func causeWords(c recording.Cause) string {
	switch {
	case c.Toggle == recording.AutoResume:
		return "by itself, when the longest pause was over"
	case c.Toggle != "":
		return "by " + switchedBy(c.User, c.Toggle, c.By)
	case c.Setting == recording.Undecided:
		return awaited
	case c.Element != "":
		words, ok := settingWords[c.Setting]
		if !ok {
			words = "says " + c.Setting
		}
		return elementWords(c.Element) + " " + words
	}
	return "for a reason that was not written down"
}

// awaited says why a file is silent before the answer.
const awaited = "until it was known who answered"

// pauseWords says why a span is silent.
func pauseWords(c recording.Cause) string {
	if c.Awaited() {
		return awaited
	}
	return causeWords(c)
}
