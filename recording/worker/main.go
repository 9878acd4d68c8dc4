package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"tapedeck/recording"
)

// The workers, by name.
const (
	Finishing = "finishing" // examines finished recordings and makes waveforms
	MP3       = "mp3"       // never takes a processor that anybody else wants
)

var names = []string{Finishing, MP3}

const (
	// socketNumber is the descriptor of a worker's socket.
	socketNumber = 3
	// progressEvery is how often a worker says that it gets on.
	progressEvery = time.Second
)

// Main is a worker, which works until its socket closes. A priority belongs to a thread,
// and new threads inherit it: so Main first lowers that of its own thread and runs the
// program once more in its place, lowered and with nothing open but the socket.
func Main(name string, lowered bool) error {
	if !slices.Contains(names, name) {
		return fmt.Errorf("there is no worker %q", name)
	}
	if !lowered {
		runtime.LockOSThread()
		return restart(name == MP3, command(name, "--lowered"))
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM) // serve has its last recordings finished after them
	runtime.GOMAXPROCS(1)
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)  // FreeSWITCH and serve stay when memory is short
	_ = os.WriteFile("/proc/self/comm", []byte("tapedeck-"+name), 0) // how ps(1) and top(1) call it
	conn, err := connOf(os.NewFile(socketNumber, "descriptor 3"))
	if err != nil {
		return fmt.Errorf("%w: serve starts the workers, nobody else", err)
	}
	return serve(conn)
}

// serve does the jobs that arrive, one after the other, until the connection ends.
func serve(conn *net.UnixConn) error {
	if err := send(conn, answer{Ready: true}); err != nil {
		return err
	}
	var jobs sync.WaitGroup
	var current int64
	stop := func(error) {}
	for {
		var r request
		files, err := receive(conn, &r)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
			return nil // and the process ends, whatever it does
		case err != nil:
			return err
		case r.Do == doStop && r.Job == current && r.Abandoned:
			stop(recording.ErrAbandoned)
		case r.Do == doStop && r.Job == current:
			stop(nil)
		case r.Do != doStop:
			jobs.Wait()
			ctx, cancel := context.WithCancelCause(context.Background())
			current, stop = r.Job, cancel
			jobs.Go(func() {
				defer closeAll(files)
				defer cancel(nil)
				_ = do(ctx, conn, r, files) // an error means that nobody is there
			})
		}
	}
}

const (
	shift    = 5 * time.Millisecond  // how long a worker works at the least before it rests
	restMost = 50 * time.Millisecond // it may have waited for a processor, and not worked
)

// pace lets a worker rest as long as it works. A processor that is never idle makes calls wait
// although they come first: it shares caches and memory with those that serve them.
type pace struct {
	resumed time.Time // when it rested last
}

// rest rests if it is time.
func (p *pace) rest() {
	if worked := time.Since(p.resumed); worked >= shift {
		time.Sleep(min(worked, restMost))
		p.resumed = time.Now()
	}
}

// do does a job and answers it.
func do(ctx context.Context, conn *net.UnixConn, r request, files []*os.File) error {
	told, pace := time.Now(), pace{time.Now()}
	shop := recording.InProcess{Progress: func(float64) {
		pace.rest()
		if now := time.Now(); now.Sub(told) >= progressEvery {
			told = now
			_ = send(conn, answer{Job: r.Job})
		}
	}}
	last := answer{Job: r.Job, Last: true}
	var err error
	switch {
	case r.Do == doAnalyse && len(files) == 1:
		last.Analysis, err = shop.Analyse(ctx, files[0])
	case r.Do == doWaveform && len(files) == 2:
		err = shop.Waveform(ctx, files[0], files[1])
	case r.Do == doMP3 && len(files) == 2:
		err = shop.MP3(ctx, files[0], files[1], r.Tags)
	default:
		err = fmt.Errorf("a worker cannot %.20q with %d files", r.Do, len(files))
	}
	last.fails(err)
	silences := last.Analysis.Silences
	last.Analysis.Silences = nil
	for part := range slices.Chunk(silences, maxSilences) {
		if err := send(conn, answer{Job: r.Job, Silences: part}); err != nil {
			return err
		}
	}
	return send(conn, last)
}
