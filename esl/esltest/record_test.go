package esltest_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

func talk(sw *esltest.Switch, ms int) { sw.Talk(time.Duration(ms) * time.Millisecond) }

// hear asserts what is heard in a file, in steps of 100 ms.
func hear(t *testing.T, path string, want ...string) {
	t.Helper()
	heard, err := esltest.Listen(path, 100*time.Millisecond, 440, 880, 1320)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range heard {
		got = append(got, h.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: heard\n%s\nwant\n%s", filepath.Base(path), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func record(t *testing.T, l *link, args string) {
	t.Helper()
	if got := l.ask("api uuid_record " + args); got != "+OK Success\n" {
		t.Errorf("uuid_record %s: %q", args, got)
	}
}

// TestAudio makes one stereo recording of the outside party: from the answer, through a
// mask, a hold and a transfer to another user.
func TestAudio(t *testing.T) {
	sw, l := newSwitch(t)
	path := filepath.Join(t.TempDir(), "acme", "2026", "a.wav")
	a := caller(sw)
	a.Set("hangup_after_bridge", "true")
	a.Set("execute_on_answer", "record_session "+path+" {RECORD_STEREO=true}")
	b := ring(a, "1001")
	talk(sw, 700) // nothing is heard while it rings
	b.Answer()
	talk(sw, 1000)
	record(t, l, a.UUID()+" mask "+path)
	talk(sw, 500)
	record(t, l, a.UUID()+" unmask "+path)
	talk(sw, 500)
	b.Hold()
	talk(sw, 500)
	b.Unhold()
	talk(sw, 500)
	ext := b.BlindTransfer("1002")
	talk(sw, 500) // the caller is alone, in the dialplan
	c := ext.Dial(esltest.Leg{Profile: "internal", Destination: "1002", ToneHz: 1320})
	c.Answer()
	talk(sw, 1000)
	a.Hangup("")
	hear(t, path,
		"0s-1s 440|880",
		"1s-1.5s -|-",
		"1.5s-2s 440|880",
		"2s-2.5s 440|-",
		"2.5s-3s 440|880",
		"3s-3.5s 440|-",
		"3.5s-4.5s 440|1320")
	if n, err := esltest.Length(path); n != 4500*time.Millisecond || err != nil {
		t.Errorf("length %v, %v", n, err)
	}
	stop := find(t, l.drain(), "RECORD_STOP")
	if stop.get("variable_record_ms") != "4500" || stop.get("Recording-Variable-RECORD_STEREO") != "true" ||
		stop.get("Record-File-Path") != path || stop.get("variable_record_file_size") != "144044" {
		t.Errorf("%v", []pair(stop))
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 144044 {
		t.Error(info, err)
	}
}

// TestMono: both parties are in the one channel. The file begins masked.
func TestMono(t *testing.T) {
	sw, l := newSwitch(t)
	path := filepath.Join(t.TempDir(), "a b.wav")
	a := caller(sw)
	a.Set("api_on_answer", "uuid_record "+a.UUID()+" start '"+path+"'")
	a.Set("api_on_answer_2", "uuid_record "+a.UUID()+" mask '"+path+"'")
	b := ring(a, "1001")
	b.Answer()
	talk(sw, 300)
	record(t, l, a.UUID()+" unmask '"+path+"'")
	talk(sw, 700)
	record(t, l, a.UUID()+" stop '"+path+"'")
	talk(sw, 700) // not recorded any more
	hear(t, path, "0s-300ms -", "300ms-1s 440+880")
	if got := l.ask("api uuid_record " + a.UUID() + " mask '" + path + "'"); got != "-ERR Cannot mask recording session!\n" {
		t.Error(got)
	}
}

// TestStartBeforeAnswer: a recording that starts before the answer pre-answers the leg.
// Tapedeck must not do that, so tests must be able to see it.
func TestStartBeforeAnswer(t *testing.T) {
	sw, l := newSwitch(t)
	a := caller(sw)
	record(t, l, a.UUID()+" start "+filepath.Join(t.TempDir(), "a.wav"))
	got := names(l.drain(), "CHANNEL_PROGRESS_MEDIA", "RECORD_START", "CHANNEL_ANSWER")
	if want := []string{"CHANNEL_PROGRESS_MEDIA", "RECORD_START"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestOutgoing: an exported variable starts the recording of the leg that answers.
func TestOutgoing(t *testing.T) {
	sw, l := newSwitch(t)
	path := filepath.Join(t.TempDir(), "out.wav")
	user := sw.Incoming(esltest.Leg{Profile: "internal", Number: "1001", Destination: "07700900001", ToneHz: 880})
	if err := user.Execute("export", "nolocal:execute_on_answer=record_session "+path+" {RECORD_STEREO=true}"); err != nil {
		t.Fatal(err)
	}
	ext := user.Dial(esltest.Leg{Destination: "07700900001", ToneHz: 440})
	talk(sw, 1000)
	ext.Answer()
	talk(sw, 600)
	ext.Hangup("")
	hear(t, path, "0s-600ms 440|880")
	var order []string
	for _, e := range l.drain() {
		switch name := e.get("Event-Name"); name {
		case "RECORD_START", "RECORD_STOP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_UNBRIDGE", "CHANNEL_BRIDGE":
			who := "user"
			if e.get("Unique-ID") == ext.UUID() {
				who = "ext"
			}
			order = append(order, name+" "+who)
		}
	}
	want := []string{"RECORD_START ext", "CHANNEL_BRIDGE user", "RECORD_STOP ext", "CHANNEL_HANGUP_COMPLETE ext",
		"CHANNEL_UNBRIDGE user", "CHANNEL_HANGUP_COMPLETE user"}
	if !slices.Equal(order, want) {
		t.Errorf("%v, want %v", order, want)
	}
}

// TestDiscarded: files without audio, or with too little, are deleted.
func TestDiscarded(t *testing.T) {
	sw, l := newSwitch(t)
	dir := t.TempDir()
	a := caller(sw)
	ring(a, "1001").Answer()
	record(t, l, a.UUID()+" start "+dir+"/empty.wav")
	record(t, l, a.UUID()+" stop "+dir+"/empty.wav")
	record(t, l, a.UUID()+" start "+dir+"/short.wav 0 {RECORD_MIN_SEC=2}")
	talk(sw, 1000)
	record(t, l, a.UUID()+" stop all")
	var causes []string
	for _, e := range l.drain() {
		if e.get("Event-Name") == "RECORD_STOP" {
			causes = append(causes, e.get("Record-Completion-Cause")+" "+e.get("variable_record_ms"))
		}
	}
	if want := []string{"empty-file 0", "input-too-short 1000"}; !slices.Equal(causes, want) {
		t.Errorf("%v, want %v", causes, want)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Error("files are left", files)
	}
}

// TestLimit: the recording stops by itself. Variables in the place of the limit are
// ignored (mod_commands.c takes the fifth word).
func TestLimit(t *testing.T) {
	sw, l := newSwitch(t)
	dir := t.TempDir()
	a := caller(sw)
	ring(a, "1001").Answer()
	record(t, l, a.UUID()+" start "+dir+"/limit.wav 2 {RECORD_STEREO=true}")
	record(t, l, a.UUID()+" start "+dir+"/mono.wav {RECORD_STEREO=true}")
	talk(sw, 5000)
	a.Hangup("")
	hear(t, dir+"/limit.wav", "0s-2s 440|880")
	hear(t, dir+"/mono.wav", "0s-5s 440+880")
}

// TestOverwrites: a second recording to the same path overwrites the first.
func TestOverwrites(t *testing.T) {
	sw, l := newSwitch(t)
	path := filepath.Join(t.TempDir(), "a.wav")
	for range 2 {
		a := caller(sw)
		ring(a, "1001").Answer()
		record(t, l, a.UUID()+" start "+path)
		record(t, l, a.UUID()+" start "+path) // it is still one recording
		if got := strings.Count(l.ask("api uuid_buglist "+a.UUID()), "<target>"+path); got != 1 {
			t.Errorf("%d recordings", got)
		}
		talk(sw, 500)
		a.Hangup("")
	}
	hear(t, path, "0s-500ms 440+880")
}

// TestFileWhileRecording: as measured, an open file has a header that says that the file
// is empty, and whole blocks of 64 KB. Once it is closed, it is complete.
func TestFileWhileRecording(t *testing.T) {
	sw, l := realFiles(t)
	stereo, mono := filepath.Join(t.TempDir(), "s.wav"), filepath.Join(t.TempDir(), "m.wav")
	a := caller(sw)
	ring(a, "1001").Answer()
	record(t, l, a.UUID()+" start "+stereo+" 0 {RECORD_STEREO=true}")
	record(t, l, a.UUID()+" start "+mono)
	for _, step := range []struct{ ms, stereo, mono int }{
		{0, 44, 44}, {2040, 44, 44}, {20, 65580, 44}, {2020, 65580, 44}, {20, 131116, 65580}, {2040, 131116, 65580}, {20, 196652, 65580},
	} {
		talk(sw, step.ms)
		if step.ms == 20 { // it is the same while masked
			record(t, l, a.UUID()+" mask "+stereo)
		}
		wantHead(t, stereo, step.stereo, 8, 0)
		wantHead(t, mono, step.mono, 8, 0)
	}
	sw.Close()
	wantHead(t, stereo, 44+6160*32, 36+6160*32, 6160*32)
	wantHead(t, mono, 44+6160*16, 36+6160*16, 6160*16)
}

// TestFileUpToTalk: with a Manual clock a test can listen to a file that is being
// recorded.
func TestFileUpToTalk(t *testing.T) {
	sw, l := newSwitch(t)
	path := filepath.Join(t.TempDir(), "a.wav")
	recorded(t, sw, l, path)
	talk(sw, 1000)
	hear(t, path, "0s-1s 440|880")
	wantHead(t, path, 32044, 8, 0)
	sw.Restart()
	hear(t, path, "0s-1s 440|880")
}

// wantHead asserts a file's size and the sizes in its header.
func wantHead(t *testing.T, path string, size, riff, data int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, d := int(binary.LittleEndian.Uint32(b[4:])), int(binary.LittleEndian.Uint32(b[40:]))
	if len(b) != size || r != riff || d != data {
		t.Errorf("%s: %d bytes, RIFF %d, data %d; want %d, %d, %d", filepath.Base(path), len(b), r, d, size, riff, data)
	}
}

// TestGrows: in real time a file grows by itself.
func TestGrows(t *testing.T) {
	t.Parallel()
	sw := esltest.New(esltest.Options{})
	t.Cleanup(func() { sw.Close() })
	path := filepath.Join(t.TempDir(), "a.wav")
	start := time.Now()
	a := recorded(t, sw, login(t, listen(t, sw)), path)
	for size := int64(44); size < 131116; { // two blocks
		if time.Since(start) > 20*time.Second {
			t.Fatalf("it does not grow beyond %d", size)
		}
		time.Sleep(10 * time.Millisecond)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); info.Size() > size && took < time.Duration(info.Size()-44)*time.Second/32000 {
			t.Errorf("%d bytes after %v", info.Size(), took)
		}
		size = info.Size()
	}
	wantHead(t, path, 131116, 8, 0)
	sw.Restart() // the next block is due in two seconds
	<-a.Done()
	wantHead(t, path, 131116, 8, 0)
}

// TestSilenceWithoutMask: the samples of a held leg are -1, as FreeSWITCH writes them.
// Only a mask makes the samples of both channels 0.
func TestSilenceWithoutMask(t *testing.T) {
	sw, l := newSwitch(t)
	path := filepath.Join(t.TempDir(), "a.wav")
	a := caller(sw)
	b := ring(a, "1001")
	b.Answer()
	record(t, l, a.UUID()+" start "+path+" 0 {RECORD_STEREO=true}")
	b.Hold()
	a.Hold()
	talk(sw, 100)
	record(t, l, a.UUID()+" mask "+path)
	talk(sw, 100)
	a.Hangup("")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := file[44:], append(bytes.Repeat([]byte{255}, 3200), make([]byte, 3200)...); !bytes.Equal(got, want) {
		t.Errorf("%d bytes: % x", len(got), got)
	}
}

// TestRealTime: a recording in real time is as long as it takes.
func TestRealTime(t *testing.T) {
	sw := esltest.New(esltest.Options{})
	t.Cleanup(func() { sw.Close() })
	l := login(t, listen(t, sw))
	l.ask("event plain RECORD_STOP")
	path := filepath.Join(t.TempDir(), "a.wav")
	a := caller(sw)
	ring(a, "1001").Answer()
	start := time.Now()
	record(t, l, a.UUID()+" start "+path+" 1")
	stop := l.event("RECORD_STOP")
	if took := time.Since(start); took < time.Second || stop.get("variable_record_ms") < "1000" {
		t.Errorf("after %v: record_ms %s", took, stop.get("variable_record_ms"))
	}
	if stamp := stop.get("Event-Date-Timestamp"); !regexp.MustCompile(`[02468]0000$`).MatchString(stamp) {
		t.Errorf("the stamp %s is not of a tick of 20 ms", stamp)
	}
	record(t, l, a.UUID()+" start "+path+" 3600") // Close does not wait for the limit
	if n, err := esltest.Length(path); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// TestAttendedTransferOutgoing: the recording stays on the external leg, which
// is Bridge-A afterwards.
func TestAttendedTransferOutgoing(t *testing.T) {
	sw, l := newSwitch(t)
	path := filepath.Join(t.TempDir(), "a.wav")
	user := sw.Incoming(esltest.Leg{Profile: "internal", Number: "1001", Destination: "07700900001", ToneHz: 880})
	ext := user.Dial(esltest.Leg{Destination: "07700900001", ToneHz: 440})
	ext.Answer()
	record(t, l, ext.UUID()+" start "+path+" 0 {RECORD_STEREO=true}")
	talk(sw, 500)
	consult := sw.Incoming(esltest.Leg{Profile: "internal", Number: "1001", Destination: "1002", ToneHz: 880})
	target := consult.Dial(esltest.Leg{Profile: "internal", Destination: "1002", ToneHz: 1320})
	target.Answer()
	outside, party := user.AttendedTransfer(consult)
	if outside != ext || party != target {
		t.Fatal("the wrong legs are joined")
	}
	talk(sw, 500)
	target.Hangup("")
	hear(t, path, "0s-500ms 440|880", "500ms-1s 440|1320")
	if len(sw.Channels()) != 0 {
		t.Error("legs are left")
	}
	var bridge happened
	for _, e := range l.drain() {
		if e.get("Event-Name") == "CHANNEL_BRIDGE" {
			bridge = e
		}
	}
	if bridge.get("Bridge-A-Unique-ID") != ext.UUID() || bridge.get("Bridge-B-Unique-ID") != target.UUID() {
		t.Error("the last bridge is not of the external leg and the new user")
	}
}

// TestRefusedKeys: the record key is refused without a template, and if it is disabled.
func TestRefusedKeys(t *testing.T) {
	for _, template := range []string{"", "/nowhere/${uuid}.wav"} {
		sw := esltest.New(esltest.Options{Clock: esltest.Manual, RecordTemplate: template})
		c := caller(sw)
		c.Set("sip_disable_recording", "true")
		if c.RecordKey(true) {
			t.Errorf("template %q: the key is accepted", template)
		}
		sw.Close()
	}
}

// TestStereoLeg: on a leg whose own sound has two channels both parties are in both
// channels, whatever was asked for.
func TestStereoLeg(t *testing.T) {
	for _, asked := range []string{"true", "false"} {
		sw, l := newSwitch(t)
		path := filepath.Join(t.TempDir(), "s.wav")
		a := caller(sw)
		a.Set("rtp_use_codec_channels", "2")
		ring(a, "1001").Answer()
		record(t, l, a.UUID()+" start "+path+" 0 {RECORD_STEREO="+asked+"}")
		talk(sw, 1000)
		a.Hangup("")
		hear(t, path, "0s-1s 440+880|440+880")
	}
}
