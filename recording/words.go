package recording

// What a span of a file holds.
const (
	StateRecording = "recording"
	StatePaused    = "paused"
	StateWaiting   = "waiting" // no pause: it is not known yet who answers, or FreeSWITCH itself writes nothing (docs/design.md, section 12, rule 14)
)

// On whose wish a file was begun: Sidecar.Trigger.
const (
	TriggerAutomatic = "automatic" // the policy's
	TriggerOnDemand  = "on-demand" // a user's
)

// Undecided is the setting of a cause without an element: the file is silent
// because it is not known yet who will answer, and somebody who might does not
// want to be recorded.
const Undecided = "undecided"

// AutoResume is the Toggle of a cause, and the Method of a note, where a pause ended
// by itself after the organisation's auto_resume. The other methods are toggle.Method.
const AutoResume = "auto_resume"

// What a note of the trace tells: Note.What.
const (
	NoteEntered    = "entered"    // the call entered an element
	NoteLeft       = "left"       // a user left the call
	NotePressed    = "pressed"    // somebody pressed; Result says whether it was obeyed. With Note.Call he had pressed in that call, and it counts in this one from now on
	NoteUndone     = "undone"     // a start or resume that FreeSWITCH did not carry out was taken back
	NoteTold       = "told"       // FreeSWITCH confirmed a new state of the recording
	NoteFile       = "file"       // the recording went on in a further file
	NoteFailed     = "failed"     // a problem of the recording
	NoteDisclaimer = "disclaimer" // the disclaimer was played
	NoteUnknown    = "unknown"    // a leg answered that is nobody's whom the policy knows; Result says what was looked up
	NoteAdopted    = "adopted"    // this Tapedeck took the call over, after a restart or from another instance
	NoteJoined     = "joined"     // a user came with a call of his own, Note.Call, which became part of this one
	NoteDissolved  = "dissolved"  // this call became part of another one, Note.Call: its user talks there
	NoteReplaced   = "replaced"   // another phone took the outside party's place in the call Note.Call, which ends: this one is its talk from then on
	NoteCut        = "cut"        // lines were left out: the trace was too long
)

// What became of it: Note.Result.
const (
	ResultOK        = "ok"        // of NotePressed; otherwise it is a toggle.Refusal, or:
	ResultMissed    = "missed"    // the press came when Tapedeck no longer heard it
	ResultSwallowed = "swallowed" // the code was pressed and did not arrive: keys of the dialplan took it
	ResultHeard     = "heard"     // of NoteDisclaimer: it was played to its end
	ResultCut       = "cut"       // of NoteDisclaimer: it was not
	ResultUnseen    = "unseen"    // of NoteAdopted: the call was answered while nobody followed it
)

// Codes of problems. A problem is a code, or "code: detail".
const (
	NotStarted    = "not started"       // wanted, but no file was begun
	MaskRefused   = "mask refused"      // FreeSWITCH refused to silence the file
	UnmaskRefused = "unmask refused"    // FreeSWITCH refused to end the silence
	Lost          = "lost"              // the recording ended before it should
	Unconfirmed   = "unconfirmed"       // a command was not answered: what the file holds is not certain
	FileMissing   = "file missing"      // begun, but there is no file
	NotGrowing    = "not growing"       // the file did not grow while it should
	Short         = "short"             // the file is shorter than the time in which it was written
	SpeechInPause = "speech in a pause" // a paused span is not silent
	Silent        = "silent"            // a recording span is digital silence
	NoStopEvent   = "no stop event"     // RECORD_STOP did not come
	FileRepaired  = "file repaired"     // FreeSWITCH never finished the header; Tapedeck did
	Disk          = "disk"              // the disk refused something
	StateUnknown  = "state unknown"     // what the file holds, or when, is not known
	Unreadable    = "unreadable"        // the file is no WAV that can be read
)
