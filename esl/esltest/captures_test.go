package esltest_test

import (
	"testing"

	"tapedeck/esl/esltest"
)

// TestReplaysCaptures plays the calls of the captures again and compares everything
// that the switch sends.
func TestReplaysCaptures(t *testing.T) {
	tests := []struct {
		name   string
		perLeg bool // see finish
		play   func(st *stage)
	}{
		{"01-inbound-answer-mask-unmask-hangup", false, playMask},
		{"02-uuid-record-errors", false, playRecordErrors},
		{"03-dtmf-toggle-by-user-then-by-caller", false, playDigits},
		{"04-record-key-info-on-off", false, playRecordKey},
		{"05-blind-transfer-between-users", false, playBlindTransfer},
		{"06-attended-transfer-between-users", false, playAttendedTransfer},
		{"07-outgoing-call-then-blind-transfer-of-external-leg", true, playOutgoing},
		{"09-ring-group-one-answers", false, playRingGroup},
		{"10-hold-and-unhold-by-user", false, playHold},
		{"12-caller-hangs-up-before-answer", false, playHangupBeforeAnswer},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			st := newStage(t, test.name)
			test.play(st)
			st.finish(test.perLeg)
		})
	}
}

func playMask(st *stage) {
	a := st.outsider(0, "ssock1")
	st.socket(a, "01-inbound-answer-mask-unmask-hangup")
	b := st.ring(a, 1, "1001")
	b.Answer()
	st.talk(900)
	st.command()
	st.talk(1000)
	st.command()
	st.talk(880)
	b.Hangup("MANAGER_REQUEST")
}

func playRecordErrors(st *stage) {
	a := st.outsider(0, "2000")
	st.ring(a, 1, "1001").Answer()
	st.commands(16)
	a.Hangup("MANAGER_REQUEST")
}

func playDigits(st *stage) {
	a := st.outsider(0, "ssock1")
	st.socket(a, "03-dtmf-toggle-by-user-then-by-caller")
	b := st.ring(a, 1, "1001")
	b.Answer()
	st.talk(1360)
	b.PressDigits("*1")
	st.command()
	st.talk(980)
	a.PressDigits("*1") // the outside party's own digits do nothing
	st.talk(1200)
	b.PressDigits("*1")
	st.command()
	st.talk(1200)
	a.Hangup("MANAGER_REQUEST")
}

func playRecordKey(st *stage) {
	a := st.outsider(0, "ssock1")
	st.socket(a, "04-record-key-info-on-off")
	b := st.ring(a, 1, "1001")
	b.Answer()
	st.talk(1280)
	st.command()
	b.RecordKey(true)
	st.talk(800)
	b.RecordKey(false)
	st.talk(800)
	b.RecordKey(true)
	st.talk(800)
	a.Hangup("MANAGER_REQUEST")
}

func playBlindTransfer(st *stage) {
	a := st.outsider(0, "ssock1")
	st.socket(a, "05-blind-transfer-between-users")
	b := st.ring(a, 1, "1001")
	b.Answer()
	st.talk(1280)
	st.command()
	b.BlindTransfer("1002")
	c := st.ring(a, 2, "1002")
	c.Answer()
	st.talk(1000)
	st.command()
	st.talk(1000)
	c.Hangup("MANAGER_REQUEST")
}

// playAttendedTransfer ends the consult leg at once; FreeSWITCH ends it a second after
// the bridge.
func playAttendedTransfer(st *stage) {
	a := st.outsider(0, "ssock1")
	st.socket(a, "06-attended-transfer-between-users")
	b := st.ring(a, 1, "1001")
	b.Answer()
	st.talk(1260)
	consult := st.phone(2, "1001", "1002")
	c := st.ring(consult, 3, "1002")
	c.Answer()
	st.talk(1060)
	b.AttendedTransfer(consult)
	st.talk(1000)
	st.command()
	st.talk(1000)
	c.Hangup("MANAGER_REQUEST")
}

// playOutgoing has the user's leg as Bridge-A: its end races with the new call.
func playOutgoing(st *stage) {
	user := st.phone(0, "1001", "s0777")
	st.socket(user, "07-outgoing-call-then-blind-transfer-of-external-leg")
	ext := user.Dial(esltest.Leg{UUID: st.capture.uuids[1], Profile: "external", Destination: "ext777",
		Host: "127.0.0.1:6080", ToneHz: 440})
	ext.Answer()
	st.talk(1300)
	st.commands(3)
	st.talk(700)
	user.PressDigits("*1")
	st.talk(800)
	st.command()
	user.BlindTransfer("1002")
	st.ring(ext, 2, "1002").Answer()
	st.talk(1580)
	ext.Hangup("MANAGER_REQUEST")
}

// playRingGroup lets two phones answer at once: the threads of three legs race.
func playRingGroup(st *stage) {
	a := st.outsider(0, "2001")
	b := st.ring(a, 1, "1001")
	c := st.ring(a, 2, "1002")
	b.AnswerAgainst(c)
	st.talk(1500)
	a.Hangup("MANAGER_REQUEST")
}

func playHold(st *stage) {
	a := st.outsider(0, "ssock1")
	st.socket(a, "10-hold-and-unhold-by-user")
	b := st.ring(a, 1, "1001")
	b.Answer()
	st.talk(1260)
	b.Hold()
	st.talk(1260)
	b.Unhold()
	st.talk(160)
	a.Hangup("MANAGER_REQUEST")
}

// playHangupBeforeAnswer parks the leg: the socket of the capture was `async full`,
// which the simulation does not have.
func playHangupBeforeAnswer(st *stage) {
	a := st.outsider(0, "sockhang")
	a.Park()
	st.socket(a, "12-caller-hangs-up-before-answer")
	a.Unpark()
	st.ring(a, 1, "1001").Answer()
	st.talk(660)
	a.Hangup("MANAGER_REQUEST")
}
