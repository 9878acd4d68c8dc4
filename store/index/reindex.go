package index

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/redis/go-redis/v9"

	"tapedeck/store"
)

const (
	refilledAtOnce = 256
	sweptAtOnce    = 256
)

// beginScript returns the stamp at which the Reindex of an organisation begins.
// KEYS as in changeRecording, of which it needs the fourth.
var beginScript = redis.NewScript(newStamp + `
return stamp`)

// Reindex replaces the index by what all yields: what was in it and is not in all
// is removed at the end. A Save or Delete of any instance during the Reindex wins
// over what all yields. If all yields an error, nothing is removed. After any
// error Reindex may be called again; one of the errors is that Redis has lost its
// data meanwhile. Recordings that cannot be kept are logged and left out.
func (x *Index) Reindex(ctx context.Context, all iter.Seq2[Recording, error]) (kept, removed int, err error) {
	if kept, removed, err = x.reindex(ctx, all); err != nil {
		err = fmt.Errorf("store: reindex: %w", err)
	}
	return kept, removed, err
}

func (x *Index) reindex(ctx context.Context, all iter.Seq2[Recording, error]) (kept, removed int, err error) {
	m, err := x.newMark(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		if err != nil {
			m.abandon(ctx)
		}
	}()
	begun, err := x.beginReindex(ctx)
	if err != nil {
		return 0, 0, err
	}
	if kept, err = x.refill(ctx, all, begun, m); err != nil {
		return kept, 0, err
	}
	for organisation, since := range begun {
		n, err := x.sweep(ctx, organisation, since, m)
		removed += n
		if err != nil {
			return kept, removed, err
		}
	}
	return kept, removed, m.done(ctx)
}

// beginReindex makes a stamp in each organisation that has recordings.
func (x *Index) beginReindex(ctx context.Context) (begun map[string]int64, err error) {
	err = x.conn.Do(ctx, "recordings_index", x.conn.BulkTimeout(), func(ctx context.Context) error {
		organisations, err := x.conn.Client().SMembers(ctx, recordersKey).Result()
		if err != nil || len(organisations) == 0 {
			return err
		}
		stamps := make([]*redis.Cmd, len(organisations))
		err = x.conn.Scripts(ctx, func(run store.RunScript) {
			for i, o := range organisations {
				stamps[i] = run(beginScript, []string{stampKey(o), stampKey(o), stampKey(o), stampKey(o)})
			}
		})
		if err != nil {
			return err
		}
		begun = make(map[string]int64, len(organisations))
		for i, o := range organisations {
			text, err := stamps[i].Text()
			if err != nil {
				return err
			}
			if begun[o], err = strconv.ParseInt(text, 10, 64); err != nil {
				return err
			}
		}
		return nil
	})
	return begun, err
}

// refill writes what all yields, except where the index has something newer. In an
// organisation that had no recordings at the beginning, everything in the index is
// newer.
func (x *Index) refill(ctx context.Context, all iter.Seq2[Recording, error], begun map[string]int64, m *mark) (kept int, err error) {
	var batch []*edit
	for r, err := range all {
		if err == nil {
			err = m.goOn(ctx)
		}
		if err != nil {
			return kept, err
		}
		change, unfit := newEdit(r)
		if unfit != "" {
			x.conn.Log().Error("recording not indexed", "organisation", r.Organisation, "recording", r.ID, "reason", unfit)
			continue
		}
		change.since = max(begun[r.Organisation], 1)
		if batch = append(batch, change); len(batch) < refilledAtOnce {
			continue
		}
		n, err := x.refillBatch(ctx, batch)
		kept += n
		if err != nil {
			return kept, err
		}
		batch = batch[:0]
	}
	if len(batch) > 0 {
		n, err := x.refillBatch(ctx, batch)
		kept += n
		if err != nil {
			return kept, err
		}
	}
	return kept, ctx.Err()
}

func (x *Index) refillBatch(ctx context.Context, batch []*edit) (kept int, err error) {
	err = x.writeChanges(ctx, "recordings_index", x.conn.BulkTimeout(), batch)
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		return 0, err
	}
	for _, change := range batch {
		if change.err == nil {
			kept++
			continue
		}
		x.conn.Log().Error("recording not indexed", "organisation", change.id.Organisation, "recording", change.id.ID, "error", change.err)
	}
	return kept, nil
}

// sweep removes from an organisation's index what was not written since a stamp.
func (x *Index) sweep(ctx context.Context, organisation string, since int64, m *mark) (removed int, err error) {
	for {
		if err := m.goOn(ctx); err != nil {
			return removed, err
		}
		var ids []string
		err := x.conn.Do(ctx, "recordings_index", x.conn.BulkTimeout(), func(ctx context.Context) (err error) {
			ids, err = x.conn.Client().ZRangeByScore(ctx, writtenKey(organisation), &redis.ZRangeBy{
				Min: "-inf", Max: "(" + strconv.FormatInt(since, 10), Count: sweptAtOnce,
			}).Result()
			return err
		})
		if err != nil || len(ids) == 0 {
			return removed, err
		}
		batch := make([]*edit, len(ids))
		for i, id := range ids {
			batch[i] = &edit{id: idOf(organisation, id), swept: true, since: since}
		}
		if err := x.writeChanges(ctx, "recordings_index", x.conn.BulkTimeout(), batch); err != nil {
			return removed, err
		}
		for _, change := range batch {
			if change.err == nil && change.written > 0 {
				removed++
			}
		}
	}
}
