package main

import (
	"cmp"
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/internal/tidy"
	"tapedeck/recording/audit"
)

// tokenAdd makes a bearer token for programs. Its secret is on stdout alone, so
// that it can be piped to where it belongs.
func tokenAdd(_ context.Context, args []string, env environment) error {
	flags := accountFlags("token add")
	t := access.Token{Created: time.Now()}
	flags.StringVar(&t.Name, "name", "", "what it is for (`TEXT`)")
	expires := flags.String("expires", "365d", "after what time it ends, such as 90d or 12h; or never (`DURATION`)")
	names, cfg, err := flags.parse(args, env, 1, 1, "the account's NAME")
	if err != nil {
		return err
	}
	if *expires != "never" {
		d, err := flow.ParseDuration(*expires)
		if err != nil {
			return usagef("--expires: %v: write days or hours, such as 90d or 12h, or never", err)
		}
		t.Expires = t.Created.Add(d)
	}
	if tidy.Text(t.Name, 100) != t.Name {
		return usagef("--name: write at most 100 letters")
	}
	t.Account = names[0]
	id, secret := "", ""
	err = changeAccounts(cfg, "token add", audit.Token, env, func(f *access.File) (c changed, err error) {
		c.account = accountNamed(f, t.Account)
		id, secret, err = f.AddToken(t)
		c.detail = fmt.Sprintf("added: %s of %s, it ends: %s", id, t.Account, ending(t))
		return c, err
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(env.stdout, secret); err != nil {
		return fmt.Errorf("the secret of token %s could not be shown: remove it, make another: %w", id, err)
	}
	_, _ = fmt.Fprintf(env.stderr, "This is the only time that the secret is shown. The token's id is %s, it counts in a second, it ends: %s.\n", id, ending(t))
	return nil
}

// tokenList prints the tokens of all accounts, or of one.
func tokenList(_ context.Context, args []string, env environment) error {
	flags := accountFlags("token ls")
	names, cfg, err := flags.parse(args, env, 0, 1, "the account's NAME, or none")
	if err != nil {
		return err
	}
	f, err := access.ReadFile(cfg.HTTP.Accounts)
	if err != nil {
		return err
	}
	if len(names) > 0 && !hasAccount(f, names[0]) {
		return noAccount(names[0])
	}
	var all []access.Token
	for _, t := range f.Tokens() {
		if len(names) == 0 || t.Account == names[0] {
			all = append(all, t)
		}
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(env.stderr, "no tokens")
		return err
	}
	t := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tACCOUNT\tNAME\tCREATED\tENDS")
	for _, token := range all {
		created := "unknown"
		if !token.Created.IsZero() {
			created = token.Created.UTC().Format(time.DateOnly)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", token.ID, token.Account, cmp.Or(tidy.Text(token.Name, 100), "-"), created, ending(token))
	}
	return t.Flush()
}

func ending(t access.Token) string {
	switch {
	case t.Expires.IsZero():
		return "never"
	case !time.Now().Before(t.Expires):
		return "has ended " + t.Expires.UTC().Format(time.DateOnly)
	}
	return t.Expires.UTC().Format("2006-01-02 15:04 MST")
}

// tokenRemove revokes a token.
func tokenRemove(_ context.Context, args []string, env environment) error {
	flags := accountFlags("token rm")
	ids, cfg, err := flags.parse(args, env, 1, 1, "the token's ID")
	if err != nil {
		return err
	}
	err = changeAccounts(cfg, "token rm", audit.Token, env, func(f *access.File) (changed, error) {
		of := tokenOf(f, ids[0])
		return changed{of, fmt.Sprintf("revoked: %s of %s", ids[0], of.Name)}, f.RemoveToken(ids[0])
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "token %s is revoked\n", ids[0])
	return err
}
