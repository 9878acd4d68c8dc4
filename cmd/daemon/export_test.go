package daemon

import (
	"context"

	"tapedeck/console/ops"
	"tapedeck/store"
	"tapedeck/store/calls"
)

// What the tests of a whole daemon look at.

func (d *Daemon) Store() *store.Store { return d.store }

func (d *Daemon) Switch(ctx context.Context, id, user, account string, action ops.Action) (calls.State, error) {
	return d.liveCalls.Switch(ctx, id, user, account, action)
}
