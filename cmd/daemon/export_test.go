package daemon

import (
	"context"

	"tapedeck/console/ops"
	"tapedeck/store/calls"
	"tapedeck/store/index"
)

// What the tests of a whole daemon look at.

func (d *Daemon) Index() *index.Index { return d.stores.index }

func (d *Daemon) Switch(ctx context.Context, id, user, account string, action ops.Action) (calls.State, error) {
	return d.liveCalls.Switch(ctx, id, user, account, action)
}
