package recordings

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tapedeck/cmd/config"
	"tapedeck/cmd/maintenance"
	"tapedeck/cmd/proof"
	"tapedeck/cmd/storeclient"
	"tapedeck/cmd/words"
	"tapedeck/internal/tidy"
	"tapedeck/store/index"
)

// Reindex describes the files that nobody has described, and makes the index in Redis
// anew from all sidecars. Sidecars that cannot be read are told of on stderr; they are
// an error.
func Reindex(ctx context.Context, cfg *config.Config, stdout, stderr io.Writer) error {
	if cfg.Store.Embedded() {
		return errors.New("store.redis is embedded, so the index is inside serve, which makes it anew at each start: restart it")
	}
	conn, err := storeclient.Open(ctx, cfg)
	if err != nil {
		return err
	}
	lines, err := proof.Open(cfg)
	if err != nil {
		fmt.Fprintf(stderr, "tapedeck recordings reindex: %s\n", tidy.Text(err.Error(), maxLine))
	}
	made, broken := maintenance.Describe(ctx, cfg.Recordings.Dir, lines.Evidence())
	fmt.Fprintf(stdout, "files without a call described: %d\n", made)
	unreadable := 0
	kept, removed, err := index.New(conn).Reindex(ctx, maintenance.Entries(ctx, cfg.Recordings.Dir, func(err error) {
		unreadable++
		fmt.Fprintf(stderr, "tapedeck recordings reindex: left out: %s\n", tidy.Text(err.Error(), maxLine))
	}))
	fmt.Fprintf(stdout, "in the index: %s; taken out of it: %d\n", words.Count(kept, "recording"), removed)
	if err == nil && unreadable > 0 {
		err = fmt.Errorf("sidecars that are not in the index: %d: mend or remove them and run this again", unreadable)
	}
	return errors.Join(broken, err, conn.Close())
}
