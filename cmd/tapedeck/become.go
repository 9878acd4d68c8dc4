package main

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"tapedeck/cmd/config"
	"tapedeck/cmd/recordings"
	"tapedeck/internal/tidy"
)

// caller is the user who has started the process: what root does as another user is still
// root's.
var caller = os.Getuid()

// load reads the daemon file, and says on stderr which files with secrets others may read.
func load(daemonFile string, env environment) (*config.Config, error) {
	cfg, err := config.Load(daemonFile)
	if err != nil {
		return nil, err
	}
	for _, open := range cfg.OpenSecrets() {
		fmt.Fprintf(env.stderr, "note: %s\n", tidy.Text(open.String(), 1000))
	}
	return cfg, nil
}

// loadRecordings is load for a command about recordings. If root runs it, it goes on as
// the owner of their folder, before anything in that is opened: FreeSWITCH may write
// there, and whatever it puts there reaches no further than that user may.
func loadRecordings(daemonFile string, env environment) (*config.Config, error) {
	cfg, err := load(daemonFile, env)
	if err == nil {
		err = becomeOwner(cfg, env)
	}
	if err == nil {
		err = recordings.Check(cfg)
	}
	return cfg, err
}

// loadToChange is load for a command that changes a file elsewhere and writes lines into
// the audit log, too. It goes on as the owner of the recordings' folder only if that of
// the file belongs to the same user: another one could not replace the file.
func loadToChange(daemonFile string, file func(*config.Config) string, env environment) (*config.Config, error) {
	cfg, err := load(daemonFile, env)
	if err != nil {
		return nil, err
	}
	dir, ok := ownerOf(cfg.Recordings.Dir.String())
	beside, known := ownerOf(filepath.Dir(file(cfg)))
	if ok && known && beside.Uid == dir.Uid {
		err = becomeOwner(cfg, env)
	}
	return cfg, err
}

// becomeOwner has a process of root go on as the owner of the recordings' folder.
func becomeOwner(cfg *config.Config, env environment) error {
	dir, ok := ownerOf(cfg.Recordings.Dir.String())
	if env.become == nil || os.Geteuid() != 0 || !ok || dir.Uid == 0 {
		return nil
	}
	if err := env.become(int(dir.Uid), int(dir.Gid)); err != nil {
		return fmt.Errorf("cannot go on as the owner of %s, user %d: %w: run this as that user", cfg.Recordings.Dir, dir.Uid, err)
	}
	return nil
}

// ownerOf returns who owns a folder; not ok: it is not there.
func ownerOf(path string) (owner *syscall.Stat_t, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, false
	}
	owner, ok = info.Sys().(*syscall.Stat_t)
	return owner, ok
}

// become changes the user of the process for good, with that user's own groups. Gid is the
// group of a user of whom the host knows nothing.
func become(uid, gid int) error {
	groups := []int{gid}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		if own, err := strconv.Atoi(u.Gid); err == nil {
			gid, groups = own, []int{own}
		}
		ids, _ := u.GroupIds() // without them it has its own group
		for _, id := range ids {
			if more, err := strconv.Atoi(id); err == nil && more != gid {
				groups = append(groups, more)
			}
		}
	}
	if err := syscall.Setgroups(groups); err != nil {
		return err
	}
	if err := syscall.Setgid(gid); err != nil {
		return err
	}
	return syscall.Setuid(uid)
}
