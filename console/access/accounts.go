package access

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/internal/strictyaml"
)

// Errors of SignIn.
var (
	// ErrWrong: there is no such account, or the password is not its own. The caller is
	// not told which.
	ErrWrong = errors.New("name or password is wrong")
	// ErrBusy: too many clients are signing in at this moment.
	ErrBusy = errors.New("too many sign in at this moment: try again")
)

// pollAccounts is how often the file is looked at.
const pollAccounts = time.Second

// Accounts has what the accounts file says, also after it changes. Its methods may be
// called by any number of goroutines.
type Accounts struct {
	path string
	log  *slog.Logger

	// Changed is told by Run which accounts and tokens the file has, lacks or has
	// otherwise since the last time; at the start of Run how many there are. It may be nil,
	// and is set before Run.
	Changed func(detail string)

	now    atomic.Pointer[book]
	seen   os.FileInfo // the file when it was read last, nil: it could not be; Run's own
	absent int         // how often in a row there was none; Run's own
	said   string      // the last error that was logged; Run's own

	seed    maphash.Seed
	hashing *hashing
}

// Open reads the accounts file. If the file is absent, cannot be read or has mistakes,
// there are no accounts until Run finds a valid one. That is no error: calls are
// recorded whether or not anybody can sign in.
func Open(path string, log *slog.Logger) (*Accounts, error) {
	if path == "" {
		return nil, errors.New("access: no accounts file is named: write http.accounts in the daemon file")
	}
	a := &Accounts{path: path, log: log, seed: maphash.MakeSeed(), hashing: newHashing()}
	a.now.Store(new(book))
	a.look()
	return a, nil
}

// Run follows the file until ctx ends. It polls, because that notices every way of
// replacing a file, on every file system.
func (a *Accounts) Run(ctx context.Context) error {
	b := a.now.Load()
	a.tell(b, fmt.Sprintf("%d accounts, %d tokens", len(b.accounts), len(b.tokens)))
	tick := time.NewTicker(pollAccounts)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.look()
		case <-ctx.Done():
			return nil
		}
	}
}

// look reads the file if it has changed. If the file has a mistake or cannot be read,
// the accounts in force stay. If there is no file, there are no accounts.
func (a *Accounts) look() {
	info, err := os.Stat(a.path)
	if err == nil && a.seen != nil && os.SameFile(info, a.seen) && info.Size() == a.seen.Size() &&
		info.ModTime().Equal(a.seen.ModTime()) && info.Mode() == a.seen.Mode() {
		return
	}
	a.seen = info // nil: absent
	var fresh *book
	if err == nil {
		fresh, err = readBook(a.path)
	}
	if _, mistakes := errors.AsType[*strictyaml.Report](err); err != nil && !mistakes {
		a.seen = nil // it could not be read: the next look tries again, as after a chown
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if a.absent++; a.absent < 2 && a.Len() > 0 {
			return // it may be about to be replaced
		}
		a.replace(new(book))
		a.complain("no accounts file: nobody can sign in until `tapedeck account add` makes one", err)
	case err != nil:
		a.complain("accounts file refused, the accounts in force stay", err)
	default:
		a.replace(fresh)
		a.said, a.absent = "", 0
		a.log.Info("accounts in force", "accounts", len(fresh.accounts), "tokens", len(fresh.tokens))
		if mode := durable.OpenToOthers(a.path); mode != 0 {
			a.log.Warn("others may read or change the accounts file: chmod 600", "file", a.path, "mode", mode.String())
		}
	}
}

// replace puts a book in force.
func (a *Accounts) replace(fresh *book) {
	before := a.now.Swap(fresh)
	if changes := before.changes(fresh); changes != "" {
		a.tell(fresh, changes)
	}
}

// tell calls Changed.
func (a *Accounts) tell(b *book, what string) {
	if a.Changed == nil {
		return
	}
	if b.sum == "" {
		a.Changed("there is no accounts file: " + what)
		return
	}
	a.Changed(fmt.Sprintf("accounts file %.12s: %s", b.sum, what))
}

// complain logs an error, but not the same one again and again. Each mistake gets a
// line of its own.
func (a *Accounts) complain(message string, err error) {
	if a.said == err.Error() {
		return
	}
	a.said = err.Error()
	if errors.Is(err, fs.ErrNotExist) {
		a.log.Warn(message, "file", a.path)
		return
	}
	for line := range strings.Lines(a.said) {
		a.log.Error(message, "mistake", strings.TrimSpace(line))
	}
}

// Len returns how many accounts there are.
func (a *Accounts) Len() int { return len(a.now.Load().accounts) }

// Account returns the account of this name. The stamp changes when its password, role,
// scope or rights do: a session that began with another stamp is over.
func (a *Accounts) Account(name string) (acc Account, stamp string, ok bool) {
	e, ok := a.now.Load().accounts[name]
	if !ok {
		return Account{}, "", false
	}
	return e.account, e.stamp, true
}

// SignIn checks a password, and returns the account with its stamp. It takes as long
// for a name that no account has, and waits while others are signing in; a browser in
// which the account has signed in before waits for its like alone. The errors are
// ErrWrong, ErrBusy and ctx's.
func (a *Accounts) SignIn(ctx context.Context, name, password string, knownBrowser bool) (Account, string, error) {
	if len(password) > maxPassword {
		return Account{}, "", ErrWrong // of any account
	}
	e, known := a.now.Load().accounts[name]
	against := e.password
	if against == nil {
		known, against = false, a.decoy(name)
	}
	share := a.hashing.strangers
	if knownBrowser {
		share = a.hashing.known
	}
	right := false
	if err := a.hashing.do(ctx, share, func() { right = against.is(password) }); err != nil {
		return Account{}, "", err
	}
	if !right || !known {
		return Account{}, "", ErrWrong
	}
	return e.account, e.stamp, nil
}

// Seal returns what proves that a text was sealed for this account as it is now, by
// whoever has the accounts file: it changes with the password, role, scope and rights. It
// is nil if there is no such account, or if the account has no password.
func (a *Accounts) Seal(name, text string) []byte {
	e := a.now.Load().accounts[name]
	if e.password == nil {
		return nil
	}
	mac := hmac.New(sha256.New, slices.Concat(e.password.salt, e.password.hash)) // the salt alone is 128 random bits
	fmt.Fprintf(mac, "tapedeck browser\n%s\n%s", e.stamp, text)
	return mac.Sum(nil)
}

// decoy returns what to compare a password with if there is no account, or none with a
// password: the hash of some account, always the same one for a name.
func (a *Accounts) decoy(name string) *password {
	all := a.now.Load().passwords
	if len(all) == 0 {
		return nobodys
	}
	return all[maphash.String(a.seed, name)%uint64(len(all))]
}

// Token returns the account of a bearer token, and the token's id. It compares every
// token, each in constant time, so that its duration tells nothing.
func (a *Accounts) Token(secret string) (acc Account, id string, ok bool) {
	b, sum := a.now.Load(), sha256.Sum256([]byte(secret))
	var found *token
	for _, t := range b.tokens {
		if subtle.ConstantTimeCompare(t.hash[:], sum[:]) == 1 {
			found = t
		}
	}
	if found == nil || found.expired(time.Now()) {
		return Account{}, "", false
	}
	return b.accounts[found.Account].account, found.ID, true
}

// HasToken reports whether there is still such a token of the account, so that a stream
// that it began may go on.
func (a *Accounts) HasToken(id, account string) bool {
	for _, t := range a.now.Load().tokens {
		if t.ID == id && t.Account == account {
			return !t.expired(time.Now())
		}
	}
	return false
}
