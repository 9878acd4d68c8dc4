package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrNoFreeSWITCH says where FindFreeSWITCH has looked.
var ErrNoFreeSWITCH = errors.New("lab: no FreeSWITCH: set FREESWITCH_BIN, or put freeswitch into PATH, /usr/local/freeswitch/bin or /opt/*/bin")

// FindFreeSWITCH returns the program's path, or ErrNoFreeSWITCH. If FREESWITCH_BIN is
// set, it returns that, or an error if it is no program.
func FindFreeSWITCH() (string, error) {
	if named := os.Getenv("FREESWITCH_BIN"); named != "" {
		found, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("lab: FREESWITCH_BIN: %w", err)
		}
		return found, nil
	}
	if found, err := exec.LookPath("freeswitch"); err == nil {
		return found, nil
	}
	for _, pattern := range []string{"/usr/local/freeswitch/bin/freeswitch", "/opt/*/bin/freeswitch"} {
		matches, _ := filepath.Glob(pattern) // the pattern is good
		for _, m := range matches {
			if found, err := exec.LookPath(m); err == nil {
				return found, nil
			}
		}
	}
	return "", ErrNoFreeSWITCH
}

// moduleArgs names the folder of modules beside the program, where FreeSWITCH may not
// look by default (an `--enable-fhs` build that was moved).
func moduleArgs(binary string) []string {
	dir := filepath.Join(filepath.Dir(filepath.Dir(binary)), "lib", "freeswitch", "mod")
	if _, err := os.Stat(filepath.Join(dir, "mod_event_socket.so")); err == nil {
		return []string{"-mod", dir}
	}
	return nil
}
