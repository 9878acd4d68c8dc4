package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"tapedeck/cmd/config"
	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/recording/audit"
)

// accountLine is the command line of a command that uses the accounts file.
type accountLine struct {
	*flag.FlagSet
	daemonFile *string
}

func accountFlags(name string) accountLine {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	return accountLine{flags, flags.String("config", "", "daemon `FILE`, which says where the accounts are (default "+config.DefaultFile+", if there is one)")}
}

// parse reads the command line, which has low to high words besides the flags, and the
// daemon file that it names.
func (l accountLine) parse(args []string, env environment, low, high int, what string) (words []string, cfg *config.Config, err error) {
	if words, err = parseSome(l.FlagSet, args, env.stdout, low, high, what); err != nil {
		return nil, nil, err
	}
	cfg, err = loadToChange(*l.daemonFile, func(c *config.Config) string { return c.HTTP.Accounts }, env)
	return words, cfg, err
}

// accountAdd makes an account, or replaces one.
func accountAdd(_ context.Context, args []string, env environment) error {
	flags := accountFlags("account add")
	var a access.Account
	scopeFlags(flags.FlagSet, &a)
	fromStdin := flags.Bool("password-stdin", false, "read the password from standard input")
	none := flags.Bool("no-password", false, "it cannot sign in; it is for tokens")
	replace := flags.Bool("replace", false, "change the account if there is one; its tokens stay")
	names, cfg, err := flags.parse(args, env, 1, 1, "the account's NAME")
	if err != nil {
		return err
	}
	a.Name = names[0]
	if *fromStdin && *none {
		return usagef("--password-stdin and --no-password: say one of them")
	}
	if err := errors.Join(access.CheckName(a.Name), a.Check()); err != nil {
		return usagef("account %.60q: %v", a.Name, err)
	}
	f, err := access.ReadFile(cfg.HTTP.Accounts)
	if err != nil {
		return err
	}
	if hasAccount(f, a.Name) && !*replace { // before somebody types a password
		return fmt.Errorf("there is an account %s already: --replace changes it, `tapedeck account password` its password alone", a.Name)
	}
	hash := ""
	if !*none {
		if hash, err = newPassword(a.Name, *fromStdin, env); err != nil {
			return err
		}
	}
	err = changeAccounts(cfg, "account add", audit.Account, env, func(f *access.File) (changed, error) {
		return changed{a, "added, or changed: " + granted(a)}, f.Put(a, hash, *replace)
	})
	if err != nil {
		return err
	}
	noteUnknown(cfg.Policy, a, env.stderr)
	_, err = fmt.Fprintf(env.stdout, "account %s is in %s, it sees: %s\n", a.Name, cfg.HTTP.Accounts, a.Scope())
	return err
}

// scopeFlags adds the flags that say what an account may see and do.
func scopeFlags(flags *flag.FlagSet, a *access.Account) {
	flags.StringVar((*string)(&a.Role), "role", "", "operator, brand, organisation or user (`ROLE`)")
	flags.StringVar(&a.Brand, "brand", "", "the `BRAND` of role brand")
	flags.StringVar(&a.Organisation, "organisation", "", "the organisation's `ID`, of role organisation or user")
	flags.StringVar(&a.User, "user", "", "the `USER` of role user, by id")
	flags.Func("group", "only this ring `GROUP` of the organisation; may be repeated", func(s string) error {
		a.Groups = append(a.Groups, s)
		return nil
	})
	flags.Func("right", "only this `RIGHT`: see, listen, download, delete, hold, control or audit; may be repeated (default: the role's)", func(s string) error {
		a.Rights = append(a.Rights, access.Right(s))
		return nil
	})
}

func hasAccount(f *access.File, name string) bool {
	return slices.ContainsFunc(f.Accounts(), func(a access.Listed) bool { return a.Name == name })
}

func noAccount(name string) error {
	return fmt.Errorf("there is no account %.60q: `tapedeck account ls` lists them", name)
}

// accountPassword gives an account another password. That ends its sessions.
func accountPassword(_ context.Context, args []string, env environment) error {
	flags := accountFlags("account password")
	fromStdin := flags.Bool("password-stdin", false, "read the password from standard input")
	names, cfg, err := flags.parse(args, env, 1, 1, "the account's NAME")
	if err != nil {
		return err
	}
	f, err := access.ReadFile(cfg.HTTP.Accounts)
	if err != nil {
		return err
	}
	if !hasAccount(f, names[0]) {
		return noAccount(names[0])
	}
	hash, err := newPassword(names[0], *fromStdin, env)
	if err != nil {
		return err
	}
	err = changeAccounts(cfg, "account password", audit.Account, env, func(f *access.File) (changed, error) {
		return changed{accountNamed(f, names[0]), "another password: " + names[0]}, f.SetPassword(names[0], hash)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "account %s has another password; whoever had signed in with the old one has to do so again\n", names[0])
	return err
}

// accountList prints the accounts without any secret.
func accountList(_ context.Context, args []string, env environment) error {
	flags := accountFlags("account ls")
	_, cfg, err := flags.parse(args, env, 0, 0, "")
	if err != nil {
		return err
	}
	f, err := access.ReadFile(cfg.HTTP.Accounts)
	if err != nil {
		return err
	}
	all := f.Accounts()
	if len(all) == 0 {
		_, err := fmt.Fprintf(env.stderr, "no accounts in %s: `tapedeck account add` makes one\n", cfg.HTTP.Accounts)
		return err
	}
	t := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tROLE\tSEES\tRIGHTS\tPASSWORD\tTOKENS")
	for _, a := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\n", a.Name, a.Role, a.Scope(), rightsOf(a.Account),
			map[bool]string{true: "yes", false: "no"}[a.SignsIn], a.Tokens)
	}
	return t.Flush()
}

// accountRemove removes an account and its tokens.
func accountRemove(_ context.Context, args []string, env environment) error {
	flags := accountFlags("account rm")
	names, cfg, err := flags.parse(args, env, 1, 1, "the account's NAME")
	if err != nil {
		return err
	}
	tokens := 0
	err = changeAccounts(cfg, "account rm", audit.Account, env, func(f *access.File) (c changed, err error) {
		c.account = accountNamed(f, names[0])
		tokens, err = f.Remove(names[0])
		c.detail = fmt.Sprintf("removed: %s, tokens with it: %d", names[0], tokens)
		return c, err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "account %s is removed, tokens with it: %d\n", names[0], tokens)
	return err
}

func rightsOf(a access.Account) string {
	var all []string
	for _, r := range access.Rights {
		if a.May(r) {
			all = append(all, string(r))
		}
	}
	return strings.Join(all, ", ")
}

// noteUnknown prints which names of an account the policy does not have. Until it has them,
// the account sees nothing there.
func noteUnknown(policy string, a access.Account, stderr io.Writer) {
	p, err := flow.Load(policy)
	if err != nil {
		return // policy check reports it
	}
	for _, missing := range unknownOf(p, a) {
		fmt.Fprintf(stderr, "note: the policy %s has no %s\n", policy, missing)
	}
}

func unknownOf(p *flow.Policy, a access.Account) (missing []string) {
	ofBrand := func(org *flow.Organisation) bool { return org.Brand == a.Brand }
	if a.Role == access.Brand && !slices.ContainsFunc(slices.Collect(maps.Values(p.Organisations)), ofBrand) {
		missing = append(missing, "organisation of brand "+a.Brand)
	}
	org := p.Organisations[a.Organisation]
	if org == nil {
		if a.Organisation != "" {
			missing = append(missing, "organisation "+a.Organisation)
		}
		return missing
	}
	if _, ok := org.Users[a.User]; a.User != "" && !ok {
		missing = append(missing, "user "+a.User+" in "+a.Organisation)
	}
	for _, g := range a.Groups {
		if _, ok := org.RingGroups[g]; !ok {
			missing = append(missing, "ring group "+g+" in "+a.Organisation)
		}
	}
	return missing
}
