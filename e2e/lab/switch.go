package lab

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"tapedeck/esl"
)

// Switch is a running FreeSWITCH and the events that it has sent.
type Switch struct {
	Name string
	Base string // its folder: conf, log, ...

	process *Process
	binary  string
	config  switchConfig
	link    *esl.Link
	stop    context.CancelFunc
	running sync.WaitGroup
	events  inbox[*esl.Event]
}

// watched are the events that the lab subscribes to.
var watched = []string{"CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER", "CHANNEL_BRIDGE",
	"CHANNEL_UNBRIDGE", "CHANNEL_PARK", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "RECORD_START", "RECORD_STOP",
	"PRESENCE_IN", "PLAYBACK_START", "MEDIA_BUG_START", "MEDIA_BUG_STOP", "DTMF", "tapedeck::toggle", "tapedeck::state", "conference::maintenance", "fifo::info"}

// startSwitch starts FreeSWITCH and waits until its event socket and its SIP profiles
// are up.
func startSwitch(ctx context.Context, binary string, c switchConfig, log *slog.Logger) (*Switch, error) {
	s := &Switch{Name: c.Name, Base: c.Base, binary: binary, config: c}
	if err := s.run(); err != nil {
		return nil, err
	}
	up := make(chan struct{})
	var once sync.Once
	s.link = &esl.Link{
		Name: c.Name, Address: fmt.Sprintf("127.0.0.1:%d", c.ESL), Password: esl.NewSecret(Password), Subscribe: watched,
		OnConnect: func(context.Context, *esl.Conn) error { once.Do(func() { close(up) }); return nil },
		OnEvent:   s.events.add, Logger: log, MaxBackoff: 200 * time.Millisecond,
	}
	linkCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = cancel
	s.running.Go(func() { _ = s.link.Run(linkCtx) }) // it ends with linkCtx alone
	if err := s.ready(ctx, up, c.Profiles); err != nil {
		s.Stop()
		return nil, fmt.Errorf("%w\n%s", err, tail(filepath.Join(c.Base, "output.log"), 20))
	}
	return s, nil
}

func (s *Switch) ready(ctx context.Context, up <-chan struct{}, profiles []profile) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	select {
	case <-up:
	case <-s.process.Done():
		return fmt.Errorf("lab: start %s: it ended at once", s.Name)
	case <-ctx.Done():
		return fmt.Errorf("lab: start %s: no event socket: %w", s.Name, ctx.Err())
	}
	tick := time.NewTicker(50 * time.Millisecond) // FreeSWITCH has no event for "profile is up"
	defer tick.Stop()
	for {
		status, err := s.API(ctx, "sofia", "status")
		if err == nil && strings.Count(status, "RUNNING") >= len(profiles) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("lab: start %s: its SIP profiles are not up: %s", s.Name, status)
		}
	}
}

func (s *Switch) run() (err error) {
	s.process, err = StartProcess(filepath.Join(s.Base, "output.log"), s.binary, s.config.args(s.binary)...)
	return err
}

// Kill ends FreeSWITCH at once (SIGKILL): it closes no file and ends no call.
func (s *Switch) Kill() { s.process.Kill() }

// Restart starts FreeSWITCH again after Kill, as before, and waits until it can take
// calls.
func (s *Switch) Restart(ctx context.Context) error {
	if err := s.run(); err != nil {
		return err
	}
	up := make(chan struct{})
	close(up) // the link dials again by itself
	return s.ready(ctx, up, s.config.Profiles)
}

// Stop ends the connection and the process.
func (s *Switch) Stop() {
	s.stop()
	s.running.Wait()
	_ = s.process.Stop(8 * time.Second) // how FreeSWITCH ends is not tested
}

// API runs an api command and returns its answer; -ERR is an error. The arguments
// are words with a space between them; a quote or a backslash is refused.
func (s *Switch) API(ctx context.Context, command, arguments string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	reply, err := s.link.Send(ctx, esl.API(command, strings.Fields(arguments)...))
	if err != nil {
		return "", err
	}
	text := reply.Text()
	if strings.HasPrefix(text, "-ERR") || strings.HasPrefix(text, "-USAGE") {
		return text, fmt.Errorf("lab: %s: %s %s: %s", s.Name, command, arguments, text)
	}
	return text, nil
}

// Events returns the events so far that match.
func (s *Switch) Events(match func(*esl.Event) bool) []*esl.Event { return s.EventsSince(0, match) }

// EventsSince is Events without the first seen events (see Seen).
func (s *Switch) EventsSince(seen int, match func(*esl.Event) bool) (found []*esl.Event) {
	fresh, _ := s.events.since(seen)
	for _, e := range fresh {
		if match(e) {
			found = append(found, e)
		}
	}
	return found
}

// patience is how long any one step of a call may take.
const patience = 10 * time.Second

// Wait returns the first event that matches, of those that have come already or come
// within patience.
func (s *Switch) Wait(ctx context.Context, what string, match func(*esl.Event) bool) (*esl.Event, error) {
	return s.WaitSince(ctx, 0, what, match)
}

// Seen is how many events have come so far.
func (s *Switch) Seen() int { return s.events.seen() }

// WaitSince is Wait without the first seen events (see Seen).
func (s *Switch) WaitSince(ctx context.Context, seen int, what string, match func(*esl.Event) bool) (*esl.Event, error) {
	e, err := s.events.wait(ctx, seen, nil, match)
	if err != nil {
		return nil, fmt.Errorf("lab: %s: no %s: %w", s.Name, what, err)
	}
	return e, nil
}

// Is matches an event of a name about one channel.
func Is(name, uuid string) func(*esl.Event) bool {
	return func(e *esl.Event) bool { return e.Name() == name && e.Get("Unique-ID") == uuid }
}

// Records matches RECORD_START or RECORD_STOP (name) of a file.
func Records(name, path string) func(*esl.Event) bool {
	return func(e *esl.Event) bool { return e.Name() == name && e.Get("Record-File-Path") == path }
}

// IsCustom matches a CUSTOM event whose header has a value.
func IsCustom(subclass, header, value string) func(*esl.Event) bool {
	return func(e *esl.Event) bool { return e.Subclass() == subclass && e.Get(header) == value }
}

// Log returns the lines of FreeSWITCH's log that contain text.
func (s *Switch) Log(text string) (lines []string) {
	data, err := os.ReadFile(filepath.Join(s.Base, "log", "freeswitch.log"))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, text) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func tail(path string, n int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
