package daemon

import (
	"context"

	"tapedeck/console/ops"
	"tapedeck/store/calls"
	"tapedeck/store/index"
)

// The tests of a whole daemon look into it with these.

func (d *Daemon) Index() *index.Index { return d.stores.index }

func (d *Daemon) Press(ctx context.Context, id, user, account string, action ops.Action) (calls.State, error) {
	return d.liveCalls.Press(ctx, id, user, account, action)
}
