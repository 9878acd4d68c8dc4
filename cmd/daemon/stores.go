package daemon

import (
	"context"
	"errors"
	"log/slog"

	"tapedeck/cmd/config"
	"tapedeck/metrics"
	"tapedeck/store"
	"tapedeck/store/ask"
	"tapedeck/store/calls"
	"tapedeck/store/index"
	"tapedeck/store/policy"
	"tapedeck/store/session"
)

// stores are the connection to Redis and all that is kept there.
type stores struct {
	conn     *store.Conn
	policy   *policy.Store
	calls    *calls.Store
	index    *index.Index
	sessions *session.Store
	peers    *ask.Peers
}

// openStores opens Redis and reads the policy that is there. The order is that in
// which conn.Run does their work.
// forged is told of each record that is not believed.
func openStores(ctx context.Context, cfg *config.Config, forged func(record string), m *metrics.Metrics, log *slog.Logger) (*stores, error) {
	keys, readable, err := cfg.Store.Keys()
	switch {
	case err != nil:
		return nil, err
	case readable:
		log.Warn("others may read the key of the store: chmod 600", "file", cfg.Store.KeyFile)
	case len(keys) == 0 && !cfg.Store.Embedded():
		log.Warn("whoever may write to redis is believed: he can sign in, turn recordings off and change the policy. `tapedeck store key` makes a key against that; copy it to all instances",
			"file", cfg.Store.KeyFile)
	}
	conn, err := store.Open(ctx, store.Config{Redis: cfg.Store.Redis.Reveal(), Keys: keys, OnForged: forged, Logger: log, Observe: m.Store, OnUp: m.StoreUp})
	if err != nil {
		return nil, err
	}
	p, err := policy.New(ctx, conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &stores{
		conn: conn, policy: p, calls: calls.New(conn), index: index.New(conn), sessions: session.New(conn), peers: ask.New(conn),
	}, nil
}
