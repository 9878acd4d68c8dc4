// Package worker does the work on sounds in processes of the lowest priority, so that no
// call waits for it. Workers starts them from this program; Main is what they do. They
// get open files and open none: a worker knows no path and no sidecar.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"tapedeck/recording"
	"tapedeck/recording/sound"
)

// What a request asks for.
const (
	doAnalyse  = "analyse"
	doWaveform = "waveform"
	doMP3      = "mp3"
	doStop     = "stop" // the job that is being done
)

// request goes to a worker. The open files go with it: the sound, and what is to be
// written.
type request struct {
	Job       int64      `json:"job"` // a number that no other job of this worker has; stop has that of its job
	Do        string     `json:"do"`
	Tags      sound.Tags `json:"tags,omitzero"`
	Abandoned bool       `json:"abandoned,omitzero"` // stop: a job that is nearly done is completed
}

// answer comes from a worker: ready once, before the first request. Then to each job
// any number of answers that tell its progress or have silences, and a last one.
type answer struct {
	Job      int64           `json:"job"`
	Ready    bool            `json:"ready,omitzero"`
	Last     bool            `json:"last,omitzero"`
	Analysis sound.Analysis  `json:"analysis,omitzero"` // in the last, without its silences
	Silences []sound.Silence `json:"silences,omitempty"`
	Failed   string          `json:"failed,omitempty"` // in the last: its error
	Errno    syscall.Errno   `json:"errno,omitzero"`   // the system's part of it
	NoSound  bool            `json:"no_sound,omitzero"`
	Stopped  bool            `json:"stopped,omitzero"`
}

const (
	maxMessage  = 64 << 10 // bytes
	maxSilences = 500      // in one message: at most 40 KB
	maxFiles    = 2        // with one request
)

// send sends a message, which arrives whole, with open files.
func send(conn *net.UnixConn, message any, files ...*os.File) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	var with []byte
	if len(files) > 0 {
		var numbers []int
		for _, f := range files {
			numbers = append(numbers, int(f.Fd()))
		}
		with = syscall.UnixRights(numbers...)
	}
	_, _, err = conn.WriteMsgUnix(text, with, nil)
	return err
}

// receive waits for a message. The caller closes its files.
func receive(conn *net.UnixConn, message any) ([]*os.File, error) {
	text, with := make([]byte, maxMessage), make([]byte, syscall.CmsgSpace(maxFiles*4))
	n, m, flags, _, err := conn.ReadMsgUnix(text, with)
	if err != nil {
		return nil, err
	}
	files, err := filesOf(with[:m])
	if err == nil && flags&(syscall.MSG_TRUNC|syscall.MSG_CTRUNC) != 0 {
		err = errors.New("a message is too long")
	}
	if err == nil {
		err = json.Unmarshal(text[:n], message)
	}
	if err != nil {
		closeAll(files)
		return nil, err
	}
	return files, nil
}

// filesOf are the open files that came with a message.
func filesOf(with []byte) (files []*os.File, err error) {
	if len(with) == 0 {
		return nil, nil
	}
	messages, err := syscall.ParseSocketControlMessage(with)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		numbers, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return files, err
		}
		for _, number := range numbers {
			files = append(files, os.NewFile(uintptr(number), "sound"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// fails puts an error into a last answer.
func (a *answer) fails(err error) {
	if err == nil {
		return
	}
	a.Failed = err.Error()
	a.NoSound = errors.Is(err, recording.ErrNoSound)
	a.Stopped = errors.Is(err, context.Canceled)
	errors.As(err, &a.Errno)
}

// err is the error of a last answer.
func (a *answer) err() error {
	switch {
	case a.Failed == "":
		return nil
	case a.Stopped:
		return context.Canceled
	}
	return workError(*a)
}

// workError is an error that a worker told.
type workError answer

func (e workError) Error() string { return e.Failed }

// Is reports whether it is one of those that callers ask for.
func (e workError) Is(target error) bool { return e.NoSound && target == recording.ErrNoSound }

// Unwrap is the system's error, if it is one.
func (e workError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// connOf takes a socket over. The file is closed.
func connOf(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("%s is no Unix socket", f.Name())
	}
	return u, nil
}
