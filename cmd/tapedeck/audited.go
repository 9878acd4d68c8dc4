package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/cmd/proof"
	"tapedeck/console/access"
	"tapedeck/internal/tidy"
	"tapedeck/recording/audit"
)

// actorOf returns who the audit log names: the user who has started the process, whatever the
// environment says. By is in whose name that user acts, as he says; it may be empty.
func actorOf(by string) audit.Actor {
	id := strconv.Itoa(caller)
	who := "uid " + id
	if u, err := user.LookupId(id); err == nil {
		who = u.Username
	}
	by = strings.TrimSpace(by)
	if by == who {
		by = ""
	}
	return audit.Actor{Who: who, From: "command line", For: tidy.Text(by, 100)}
}

// auditLog is the audit log as a command uses it.
type auditLog struct {
	*audit.Log
	absent bool // there is no folder of recordings yet, and so no audit log
}

// openAudit opens the audit log for a command. Where the folder of the recordings is not
// there yet, there is no audit log, and the command says so. So it does where the folder
// for the evidence log cannot be made. If that is there and the log in it cannot be
// written, the command has to fail.
func openAudit(cfg *config.Config, name string, env environment) (*auditLog, error) {
	if _, err := os.Stat(cfg.Recordings.Dir.String()); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(env.stderr, "tapedeck %s: note: this is not in the audit log: there is no folder %s yet\n", name, cfg.Recordings.Dir)
		return &auditLog{absent: true}, nil
	}
	lines, err := proof.Open(cfg)
	if err != nil && lines.Evidence() == nil {
		fmt.Fprintf(env.stderr, "tapedeck %s: note: there is no evidence log: %s\n", name, tidy.Text(err.Error(), 500))
		return &auditLog{Log: lines}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: run this as root, or as Tapedeck's user", err)
	}
	return &auditLog{Log: lines}, nil
}

// Add adds a line, if there is an audit log.
func (l *auditLog) Add(line audit.Line) error {
	if l.absent {
		return nil
	}
	return l.Log.Add(line)
}

// changed is what a change of the accounts file was about.
type changed struct {
	account access.Account
	detail  string
}

// changeAccounts changes the accounts file. The line of the audit log is written first:
// without it nothing is changed.
func changeAccounts(cfg *config.Config, name, what string, env environment, change func(*access.File) (changed, error)) error {
	lines, err := openAudit(cfg, name, env)
	if err != nil {
		return err
	}
	var line audit.Line
	err = access.Change(cfg.HTTP.Accounts, func(f *access.File) error {
		c, err := change(f)
		if err != nil {
			return err
		}
		by := actorOf("")
		line = audit.Line{At: time.Now(), Who: by.Who, What: what, Organisation: c.account.Organisation, Brand: c.account.Brand, From: by.Origin(), Detail: c.detail}
		return lines.Add(line)
	})
	if err != nil && line.What != "" && !errors.Is(err, audit.ErrNotWritten) {
		line.What, line.Detail = audit.Failed, what+": "+err.Error()
		err = errors.Join(err, lines.Add(line))
	}
	return err
}

// accountNamed returns an account of the file; only its name if there is none.
func accountNamed(f *access.File, name string) access.Account {
	for _, a := range f.Accounts() {
		if a.Name == name {
			return a.Account
		}
	}
	return access.Account{Name: name}
}

// tokenOf returns the account of a token.
func tokenOf(f *access.File, id string) access.Account {
	for _, t := range f.Tokens() {
		if t.ID == id {
			return accountNamed(f, t.Account)
		}
	}
	return access.Account{}
}

// granted says what an account may see and do.
func granted(a access.Account) string {
	return fmt.Sprintf("%s: role %s, sees %s, may %s", a.Name, a.Role, a.Scope(), cmp.Or(rightsOf(a), "nothing"))
}
