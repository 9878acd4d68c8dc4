package demo

import (
	"context"
	"io"
	"log/slog"
	"strings"
)

// filteredLog lets pass only errors and what is logged about the policy, which the demo
// invites people to edit.
type filteredLog struct {
	slog.Handler
	started *slog.LevelVar // from which level on the policy's lines pass: error until the demo runs, then info
}

// newLog returns a logger that writes to w, and a function to call when the demo has
// started. Verbose lets everything pass.
func newLog(w io.Writer, verbose bool) (log *slog.Logger, started func()) {
	text := slog.NewTextHandler(w, nil)
	if verbose {
		return slog.New(text), func() {}
	}
	l := filteredLog{text, &slog.LevelVar{}}
	l.started.Set(slog.LevelError)
	return slog.New(l), func() { l.started.Set(slog.LevelInfo) }
}

func (l filteredLog) Handle(ctx context.Context, r slog.Record) error {
	ofPolicy := strings.HasPrefix(r.Message, "policy ") && r.Level >= l.started.Level()
	if r.Level < slog.LevelError && !ofPolicy {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

func (l filteredLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return filteredLog{l.Handler.WithAttrs(attrs), l.started}
}

func (l filteredLog) WithGroup(name string) slog.Handler {
	return filteredLog{l.Handler.WithGroup(name), l.started}
}
