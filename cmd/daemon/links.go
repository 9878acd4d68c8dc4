package daemon

import (
	"context"
	"log/slog"

	"tapedeck/call"
	"tapedeck/cmd/config"
	"tapedeck/esl"
	"tapedeck/metrics"
)

// newLinks returns a watch link to each switch of the daemon file; none is up yet.
func newLinks(cfg *config.Config, m *metrics.Metrics, log *slog.Logger) (links []*esl.Link) {
	for _, s := range cfg.Switches {
		links = append(links, &esl.Link{Name: s.Name, Address: s.Address, Password: s.Password, Subscribe: call.Events, Logger: log})
		m.WatchUp(s.Name, false)
	}
	return links
}

// switches returns the links by the names of their switches.
func switches(links []*esl.Link) map[string]call.Link {
	byName := map[string]call.Link{}
	for _, l := range links {
		byName[l.Name] = l
	}
	return byName
}

// watch hands everything that a link brings to the controller. It has to be called before
// the link runs.
func watch(l *esl.Link, controller *call.Controller, m *metrics.Metrics) {
	l.OnConnect = func(ctx context.Context, conn *esl.Conn) error {
		m.WatchUp(l.Name, true)
		return controller.Connected(ctx, l.Name, conn)
	}
	l.OnDown = func(error) { m.WatchUp(l.Name, false) }
	l.OnEvent = func(ev *esl.Event) { controller.Watched(l.Name, ev) }
}
