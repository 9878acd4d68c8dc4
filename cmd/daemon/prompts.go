package daemon

import (
	"log/slog"
	"os"
	"path/filepath"

	"tapedeck/cmd/config"
)

// warnOfPrompts logs a warning if the folder of the prompts is not on this machine.
func warnOfPrompts(cfg *config.Config, log *slog.Logger) {
	folder := filepath.Join(cfg.Prompts.Dir, cfg.Prompts.Language)
	if info, err := os.Stat(folder); err == nil && info.IsDir() {
		return
	}
	log.Warn("the prompts are not here: unless FreeSWITCH has them on another host, nobody hears what a press did: "+
		"copy freeswitch-conf/sounds, or name its folder in prompts.dir", "folder", folder)
}
