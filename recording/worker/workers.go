package worker

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"tapedeck/recording"
	"tapedeck/recording/sound"
)

// Config is what Workers need.
type Config struct {
	// Failed is told of each worker that ended, made no progress or could not be started. It
	// must not block.
	Failed func(name string)
	Log    *slog.Logger
}

// Workers is the Workshop whose work is done by processes: one for finished recordings,
// another for MP3s, so that no recording waits for an MP3. Each does one job at a time;
// the others wait, as many as ask. A process is started when there is work for it.
//
// A process that ends or makes no progress is replaced, and its job is tried once more.
// If none can be started, this process does the work.
type Workers struct {
	life           *life
	finishing, mp3 *process
}

// life is that of Workers, until Close.
type life struct {
	alive context.Context
	end   context.CancelFunc // called with mu locked
	mu    sync.Mutex         // locked while a process is started
	gone  sync.WaitGroup     // the processes
}

// program is this one, even if another lies by now where it was started from.
const program = "/proc/self/exe"

// command are the arguments that run Main in a worker of this name.
func command(name string, flags ...string) []string {
	return append(append([]string{"tapedeck", "worker"}, flags...), name)
}

var _ recording.Workshop = (*Workers)(nil)

// patience is how long a worker may make no progress.
const patience = 2 * time.Minute

// New returns Workers. Close ends them.
func New(cfg Config) *Workers {
	l := newLife()
	return &Workers{life: l, finishing: newProcess(l, cfg, Finishing), mp3: newProcess(l, cfg, MP3)}
}

func newLife() *life {
	alive, end := context.WithCancel(context.Background())
	return &life{alive: alive, end: end}
}

// Close ends the processes, whatever they do. It waits for that, but not for one that
// waits for a disk that hangs.
func (w *Workers) Close() { w.life.close() }

func (l *life) close() {
	l.mu.Lock()
	l.end()
	l.mu.Unlock()
	gone := make(chan struct{})
	go func() { l.gone.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-time.After(3 * killAfter):
	}
}

// Analyse is that of recording.Workshop.
func (w *Workers) Analyse(ctx context.Context, in *os.File) (sound.Analysis, error) {
	return w.finishing.do(ctx, request{Do: doAnalyse}, in)
}

// Waveform is that of recording.Workshop.
func (w *Workers) Waveform(ctx context.Context, in, out *os.File) error {
	_, err := w.finishing.do(ctx, request{Do: doWaveform}, in, out)
	return err
}

// MP3 is that of recording.Workshop.
func (w *Workers) MP3(ctx context.Context, in, out *os.File, tags sound.Tags) error {
	_, err := w.mp3.do(ctx, request{Do: doMP3, Tags: tags}, in, out)
	return err
}
