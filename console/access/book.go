package access

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"tapedeck/internal/strictyaml"
)

// version is the format of accounts files that is read and written.
const version = "1"

// maxFile is how large an accounts file may be.
const maxFile = 4 << 20

// book is what an accounts file without mistakes says. It does not change.
type book struct {
	accounts  map[string]entry
	tokens    []*token    // by id
	passwords []*password // of all accounts that have one
	sum       string      // SHA-256 of the file
}

// entry is one account.
type entry struct {
	account  Account
	password *password // nil: by tokens alone
	stamp    string
}

// readBook reads an accounts file. Its error may be a *strictyaml.Report, or fs.ErrNotExist.
func readBook(path string) (*book, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	b, _, err := parseBook(path, text)
	if err == nil {
		sum := sha256.Sum256(text)
		b.sum = hex.EncodeToString(sum[:])
	}
	return b, err
}

// changes says in words which accounts and tokens another book has, lacks, or has
// otherwise.
func (b *book) changes(after *book) string {
	var words []string
	add := func(what string, names []string) {
		if slices.Sort(names); len(names) > 0 {
			words = append(words, what+" "+strings.Join(names, " "))
		}
	}
	var added, removed, changed []string
	for name, e := range after.accounts {
		if before, ok := b.accounts[name]; !ok {
			added = append(added, name)
		} else if before.stamp != e.stamp {
			changed = append(changed, name)
		}
	}
	for name := range b.accounts {
		if _, ok := after.accounts[name]; !ok {
			removed = append(removed, name)
		}
	}
	add("added:", added)
	add("changed:", changed)
	add("removed:", removed)
	ids := func(of, without *book) (all []string) {
		for _, t := range of.tokens {
			if !slices.ContainsFunc(without.tokens, func(o *token) bool { return o.ID == t.ID && o.hash == t.hash && o.Account == t.Account }) {
				all = append(all, t.ID)
			}
		}
		return all
	}
	add("tokens added:", ids(after, b))
	add("tokens removed:", ids(b, after))
	return strings.Join(words, ", ")
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = errors.New("it is too large for an accounts file")
	}
	if err != nil {
		return nil, fmt.Errorf("access: read %s: %w", path, err)
	}
	return text, nil
}

// rules are those of accounts files. There are no aliases: an alias stands for an entry
// somewhere else in the file, and an entry that is removed must be gone.
var rules = strictyaml.Rules{
	Secret:     true,
	NotMapping: `{what}: write keys and values, "key: value"`,
	NotList:    "{what}: write a list, [a, b], or remove the key",
	NotText:    "{what}: write one value, not a list or a mapping",
	NoValue:    "{what} has no value: write one, or remove the key",
	Twice:      "{what}: {key} is there twice: remove this one or that of line {line}",
	Unknown:    "{what}: unknown key {key}: use {a, b}",
	BadKey:     "{what}: a key is no plain text: write a name before the colon",
	MergeKey:   "{what}: a key is no plain text: write a name before the colon",
	Tag:        "{what}: tags (!) have no meaning here: remove it",
	Alias:      "{what}: anchors and aliases (& and *) are not understood here: write it out",
}

// bookReader reads one accounts file.
type bookReader struct {
	strictyaml.Reader
	book   *book
	hashes map[[sha256.Size]byte]string // ids of tokens
}

// parseBook reads the text of a file. The node is the whole document. The error is a
// *strictyaml.Report with every mistake.
func parseBook(file string, text []byte) (*book, *yaml.Node, error) {
	r := &bookReader{Reader: strictyaml.Reader{Rules: &rules}, book: &book{accounts: map[string]entry{}},
		hashes: map[[sha256.Size]byte]string{}}
	doc := r.Open(strictyaml.Source{Name: file, Text: text})
	if doc == nil {
		if len(r.Mistakes) == 0 { // somebody may be writing it now
			r.Mistake(&yaml.Node{Line: 1}, "the file is empty: write version: %s", version)
		}
		return nil, nil, r.Err()
	}
	said, top := false, doc.Content[0]
	var tokens *yaml.Node
	r.Fields(top, "the accounts file", map[string]func(*yaml.Node){
		"version": func(n *yaml.Node) {
			said = true
			if text, _, ok := r.Text(n, "version"); ok && text != version {
				r.Mistake(n, "version is %.20q: this tapedeck reads version %s", text, version)
			}
		},
		"accounts": func(n *yaml.Node) { r.Pairs(n, "accounts", r.account) },
		"tokens":   func(n *yaml.Node) { tokens = n },
	})
	if !said && top.Kind == yaml.MappingNode {
		r.Mistake(top, "the version is not said: write version: %s", version)
	}
	if tokens != nil { // when all accounts are known
		r.Pairs(tokens, "tokens", r.token)
	}
	if err := r.Err(); err != nil {
		return nil, nil, err
	}
	return r.book, doc, nil
}

// account reads one account.
func (r *bookReader) account(name string, k, v *yaml.Node) {
	if err := CheckName(name); err != nil {
		r.Mistake(k, "account %.60q: %v", name, err)
	}
	what := "account " + printable(name)
	e := entry{account: Account{Name: name}}
	acc, hash, before := &e.account, "", len(r.Mistakes)
	word := func(key string, into *string) func(*yaml.Node) {
		return func(n *yaml.Node) {
			if text, _, ok := r.Text(n, what+": "+key); ok {
				if err := checkID(text); err != nil {
					r.Mistake(n, "%s: %s %.60q %v", what, key, text, err)
				}
				*into = text
			}
		}
	}
	r.Fields(v, what, map[string]func(*yaml.Node){
		"role":         word("role", (*string)(&acc.Role)),
		"brand":        word("brand", &acc.Brand),
		"organisation": word("organisation", &acc.Organisation),
		"user":         word("user", &acc.User),
		"groups": func(n *yaml.Node) {
			r.list(n, what+": groups", func(n *yaml.Node, text string) {
				if err := checkID(text); err != nil {
					r.Mistake(n, "%s: group %.60q %v", what, text, err)
				}
				acc.Groups = append(acc.Groups, text)
			})
		},
		"rights": func(n *yaml.Node) {
			r.list(n, what+": rights", func(_ *yaml.Node, text string) { acc.Rights = append(acc.Rights, Right(text)) })
		},
		"password": func(n *yaml.Node) {
			text, _, ok := r.Text(n, what+": password")
			if !ok {
				return
			}
			p, err := parsePassword(text)
			if err != nil {
				r.Mistake(n, "%s: its password %v", what, err)
				return
			}
			e.password, hash = p, text
		},
	})
	if len(r.Mistakes) == before {
		if err := acc.Check(); err != nil {
			r.Mistake(k, "%s: %v", what, err)
		}
	}
	e.stamp = stamp(e.account, hash)
	r.book.accounts[name] = e
	if e.password != nil {
		r.book.passwords = append(r.book.passwords, e.password)
	}
}

// list reads a list of different texts.
func (r *bookReader) list(n *yaml.Node, what string, each func(n *yaml.Node, text string)) {
	var seen []string
	before := len(r.Mistakes)
	r.Items(n, what, func(item *yaml.Node) {
		text, _, ok := r.Text(item, what)
		if ok && slices.Contains(seen, text) {
			r.Mistake(item, "%s: %.60q is there twice: remove one", what, text)
		} else if ok {
			seen = append(seen, text)
			each(item, text)
		}
	})
	if len(seen) == 0 && len(r.Mistakes) == before { // [], or no value
		r.Mistake(n, "%s: write a list, [a, b], or remove the key", what)
	}
}

// stamp returns a text that changes when anything of an account does. Nothing of the
// account can be read from it.
func stamp(a Account, hash string) string {
	text, _ := json.Marshal([]any{a, hash}) // an Account is texts alone: it cannot fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// token reads one token.
func (r *bookReader) token(id string, k, v *yaml.Node) {
	what := "token " + printable(id)
	t, hashed := &token{Token: Token{ID: id}}, false
	if err := CheckName(t.ID); err != nil {
		r.Mistake(k, "token %.60q: its id: %v", t.ID, err)
	}
	day := func(key string, into *time.Time) func(*yaml.Node) {
		return func(n *yaml.Node) {
			text, _, ok := r.Text(n, what+": "+key)
			if !ok {
				return
			}
			var err error
			if *into, err = time.Parse(time.RFC3339, text); err != nil {
				r.Mistake(n, "%s: %s is no time: write it like 2027-01-31T12:00:00Z", what, key)
			}
		}
	}
	r.Fields(v, what, map[string]func(*yaml.Node){
		"account": func(n *yaml.Node) {
			text, _, ok := r.Text(n, what+": account")
			if _, known := r.book.accounts[text]; ok && !known {
				r.Mistake(n, "%s: there is no account %.60q: remove the token, or add the account", what, text)
			}
			t.Account = text
		},
		"name": func(n *yaml.Node) { t.Name, _, _ = r.Text(n, what+": name") },
		"hash": func(n *yaml.Node) {
			hashed = true
			text, _, ok := r.Text(n, what+": hash")
			if !ok {
				return
			}
			var err error
			if t.hash, err = parseHash(text); err != nil {
				r.Mistake(n, "%s: its hash %v", what, err)
			}
		},
		"created": day("created", &t.Created),
		"expires": day("expires", &t.Expires),
	})
	if t.Account == "" {
		r.Mistake(k, "%s: it has no account: say whose it is", what)
	}
	if !hashed {
		r.Mistake(k, "%s: it has no hash: make another with `tapedeck token add`", what)
	}
	if other, twice := r.hashes[t.hash]; twice && t.hash != [sha256.Size]byte{} {
		r.Mistake(k, "%s: its hash is that of token %s: remove one of them", what, other)
	}
	r.hashes[t.hash] = t.ID
	r.book.tokens = append(r.book.tokens, t)
}

func printable(name string) string { return strings.Trim(fmt.Sprintf("%.60q", name), `"`) }
