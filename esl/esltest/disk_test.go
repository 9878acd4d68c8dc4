package esltest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// recorded is a call with a stereo recording of the caller's leg at path.
func recorded(t *testing.T, sw *esltest.Switch, l *link, path string) *esltest.Channel {
	t.Helper()
	a := caller(sw)
	ring(a, "1001").Answer()
	record(t, l, a.UUID()+" start "+path+" 0 {RECORD_STEREO=true}")
	return a
}

// stopped stops the recording and returns its RECORD_STOP.
func stopped(t *testing.T, l *link, a *esltest.Channel, path string) happened {
	t.Helper()
	record(t, l, a.UUID()+" stop "+path)
	stop := l.event("RECORD_STOP")
	if stop.get("Record-File-Path") != path {
		t.Fatalf("it is %s that stopped", stop.get("Record-File-Path"))
	}
	return stop
}

func wantSize(t *testing.T, path string, want int64) {
	t.Helper()
	info, err := os.Stat(path)
	if want < 0 && os.IsNotExist(err) {
		return
	}
	if err != nil || info.Size() != want {
		t.Errorf("%s: %v, %v; want %d bytes", filepath.Base(path), info, err, want)
	}
}

// wantReply runs uuid_record and asserts its reply.
func wantReply(t *testing.T, l *link, args, want string) {
	t.Helper()
	if got := l.ask("api uuid_record " + args); got != want+"\n" {
		t.Errorf("uuid_record %s: %q, want %q", args, got, want)
	}
}

// fillUp lets a recording meet a full disk: the file stays at 64 KB, no event comes,
// commands get +OK, and only RECORD_STOP has the error.
func fillUp(t *testing.T, sw *esltest.Switch, l *link, path string) *esltest.Channel {
	t.Helper()
	a := recorded(t, sw, l, path)
	talk(sw, 6520)
	wantSize(t, path, 65536)
	for _, verb := range []string{"mask", "unmask", "start"} {
		wantReply(t, l, a.UUID()+" "+verb+" "+path, "+OK Success")
	}
	if !strings.Contains(l.ask("api uuid_buglist "+a.UUID()), path) {
		t.Error("the recording has ended")
	}
	stop := stopped(t, l, a, path)
	if got := names(l.got.events, "RECORD_START", "RECORD_STOP"); len(got) != 2 {
		t.Errorf("events %v", got)
	}
	if stop.get("Record-Completion-Cause") != "uri-failure" || stop.get("variable_record_ms") != "6520" ||
		stop.get("variable_record_file_size") != "65536" {
		t.Errorf("%v", []pair(stop))
	}
	wantHead(t, path, 65536, 65528, 65492)
	return a
}

// refused asserts that a recording is refused, and leaves an empty file.
func refused(t *testing.T, l *link, a *esltest.Channel, path string) {
	t.Helper()
	wantReply(t, l, a.UUID()+" start "+path, "-ERR Cannot record session!")
	wantSize(t, path, 0)
	wantReply(t, l, a.UUID()+" mask "+path, "-ERR Cannot mask recording session!")
	if got := names(l.drain(), "RECORD_START", "RECORD_STOP"); len(got) != 2 {
		t.Errorf("events %v", got)
	}
}

func TestFailWrites(t *testing.T) {
	sw, l := realFiles(t)
	dir := t.TempDir()
	sw.FailWrites(dir, 65536)
	a := fillUp(t, sw, l, dir+"/sub/a.wav")
	sw.FailWrites(dir+"/b.wav", 0)
	refused(t, l, a, dir+"/b.wav")
	sw.FailWrites(dir, -1)
	sw.FailWrites(dir+"/b.wav", -1)
	record(t, l, a.UUID()+" start "+dir+"/b.wav")
	talk(sw, 3000)
	if stop := stopped(t, l, a, dir+"/b.wav"); stop.get("Record-Completion-Cause") != "success-maxtime" {
		t.Errorf("%v", []pair(stop))
	}
	wantSize(t, dir+"/b.wav", 48044)
}

// TestRoomAgain: after a full disk a recording goes on when there is room again. The
// blocks that were lost are missing in the middle of its file.
func TestRoomAgain(t *testing.T) {
	sw, l := realFiles(t)
	path := filepath.Join(t.TempDir(), "a.wav")
	a := recorded(t, sw, l, path)
	talk(sw, 2060)
	sw.FailWrites(path, 65580)
	talk(sw, 2060)
	sw.FailWrites(path, -1)
	talk(sw, 3000)
	stop := stopped(t, l, a, path)
	if stop.get("Record-Completion-Cause") != "uri-failure" || stop.get("variable_record_ms") != "7120" {
		t.Errorf("%v", []pair(stop))
	}
	if got, err := esltest.Length(path); err != nil || got != 7120*time.Millisecond-2048*time.Millisecond {
		t.Errorf("the file is %v long: %v", got, err)
	}
}

// TestLastBlock: an error while the file is closed is not reported.
func TestLastBlock(t *testing.T) {
	sw, l := realFiles(t)
	path := filepath.Join(t.TempDir(), "a.wav")
	a := recorded(t, sw, l, path)
	talk(sw, 1000)
	sw.FailWrites(path, 44)
	if stop := stopped(t, l, a, path); stop.get("Record-Completion-Cause") != "success-maxtime" || stop.get("variable_record_ms") != "1000" {
		t.Errorf("%v", []pair(stop))
	}
	wantHead(t, path, 44, 8, 0)
}

// TestDeletedFile: FreeSWITCH does not notice that a file was deleted, and reports the
// recording's length.
func TestDeletedFile(t *testing.T) {
	sw, l := realFiles(t)
	dir := t.TempDir() + "/sub"
	path := dir + "/a.wav"
	a := recorded(t, sw, l, path)
	talk(sw, 3000)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"mask", "unmask", "start"} {
		wantReply(t, l, a.UUID()+" "+verb+" "+path, "+OK Success")
	}
	talk(sw, 3000)
	wantSize(t, path, -1)
	stop := stopped(t, l, a, path)
	if stop.get("Record-Completion-Cause") != "success-maxtime" || stop.get("variable_record_ms") != "6000" || stop.get("variable_record_file_size") != "" {
		t.Errorf("%v", []pair(stop))
	}
	wantSize(t, path, -1)
	wantReply(t, l, a.UUID()+" start "+path, "+OK Success") // the folder is made again
	wantSize(t, path, 44)
}
