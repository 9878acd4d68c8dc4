package main

import (
	"context"
	"io"
	"log/slog"
	"strings"
)

// demoLog leaves of tapedeck's log what comes of a change of the policy, which
// the demo invites to edit, and errors.
type demoLog struct {
	slog.Handler
	started *slog.LevelVar // error until the demo runs, then info
}

// newDemoLog writes to w; verbose is all of the log.
func newDemoLog(w io.Writer, verbose bool) (log *slog.Logger, started func()) {
	text := slog.NewTextHandler(w, nil)
	if verbose {
		return slog.New(text), func() {}
	}
	l := demoLog{text, &slog.LevelVar{}}
	l.started.Set(slog.LevelError)
	return slog.New(l), func() { l.started.Set(slog.LevelInfo) }
}

func (l demoLog) Handle(ctx context.Context, r slog.Record) error {
	ofPolicy := strings.HasPrefix(r.Message, "policy ") && r.Level >= l.started.Level()
	if r.Level < slog.LevelError && !ofPolicy {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

func (l demoLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return demoLog{l.Handler.WithAttrs(attrs), l.started}
}

func (l demoLog) WithGroup(name string) slog.Handler {
	return demoLog{l.Handler.WithGroup(name), l.started}
}
