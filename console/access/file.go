package access

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"gopkg.in/yaml.v3"
)

// File is what an accounts file says. Within Change it can be changed.
type File struct {
	path string
	book *book
	doc  *yaml.Node // the document: comments and order stay when it is written
}

// ReadFile reads an accounts file. Its error may be a *strictyaml.Report. An absent file has
// no accounts.
func ReadFile(path string) (*File, error) {
	text, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte("version: " + version + "\n")
	} else if err != nil {
		return nil, err
	}
	return parseFile(path, text)
}

func parseFile(path string, text []byte) (*File, error) {
	b, doc, err := parseBook(path, text)
	if err != nil {
		return nil, err
	}
	return &File{path, b, doc}, nil
}

// Listed is an account as `tapedeck account ls` shows it.
type Listed struct {
	Account
	SignsIn bool // it has a password
	Tokens  int
}

// Accounts returns all accounts, ordered by name.
func (f *File) Accounts() []Listed {
	var all []Listed
	for _, name := range slices.Sorted(maps.Keys(f.book.accounts)) {
		e := f.book.accounts[name]
		l := Listed{Account: e.account, SignsIn: e.password != nil}
		for _, t := range f.book.tokens {
			if t.Account == name {
				l.Tokens++
			}
		}
		all = append(all, l)
	}
	return all
}

// Tokens returns all bearer tokens, in the order of the file.
func (f *File) Tokens() []Token {
	all := make([]Token, len(f.book.tokens))
	for i, t := range f.book.tokens {
		all[i] = t.Token
	}
	return all
}

// Put writes an account. hash is its password's, as HashPassword returns it; with an
// empty one the account has only tokens. If there is such an account, Put replaces all
// of it except its tokens, or fails unless replace is set.
func (f *File) Put(a Account, hash string, replace bool) error {
	if err := CheckName(a.Name); err != nil {
		return err
	}
	if err := a.Check(); err != nil {
		return err
	}
	if _, there := f.book.accounts[a.Name]; there && !replace {
		return fmt.Errorf("there is an account %s already: --replace changes it", a.Name)
	}
	fields := mapping()
	for _, field := range [][2]string{{"role", string(a.Role)}, {"brand", a.Brand}, {"organisation", a.Organisation}, {"user", a.User}} {
		if field[1] != "" {
			set(fields, field[0], text(field[1]))
		}
	}
	if len(a.Groups) > 0 {
		set(fields, "groups", list(a.Groups))
	}
	if a.Rights != nil {
		set(fields, "rights", list(a.Rights))
	}
	if hash != "" {
		set(fields, "password", text(hash))
	}
	set(f.section("accounts"), a.Name, fields)
	return f.reread()
}

// SetPassword gives an account another password.
func (f *File) SetPassword(name, hash string) error {
	if _, there := f.book.accounts[name]; !there {
		return fmt.Errorf("there is no account %.60q", name)
	}
	set(valueOf(f.section("accounts"), name), "password", text(hash))
	return f.reread()
}

// Remove removes an account and its tokens, and returns how many tokens these were.
func (f *File) Remove(name string) (tokens int, err error) {
	if !unset(f.section("accounts"), name) {
		return 0, fmt.Errorf("there is no account %.60q", name)
	}
	for _, t := range f.book.tokens {
		if t.Account == name {
			unset(f.section("tokens"), t.ID)
			tokens++
		}
	}
	return tokens, f.reread()
}

// AddToken makes a bearer token of t.Account, with an id of its own. The secret is
// not kept: this is when it can be seen.
func (f *File) AddToken(t Token) (id, secret string, err error) {
	if _, there := f.book.accounts[t.Account]; !there {
		return "", "", fmt.Errorf("there is no account %.60q: `tapedeck account add` makes one", t.Account)
	}
	id, secret = newTokenID(), newSecret()
	for valueOf(f.section("tokens"), id) != nil {
		id = newTokenID()
	}
	fields := mapping()
	set(fields, "account", text(t.Account))
	if t.Name != "" {
		set(fields, "name", text(t.Name))
	}
	set(fields, "hash", text(hashSecret(secret)))
	set(fields, "created", text(t.Created.UTC().Format(time.RFC3339)))
	if !t.Expires.IsZero() {
		set(fields, "expires", text(t.Expires.UTC().Format(time.RFC3339)))
	}
	set(f.section("tokens"), id, fields)
	return id, secret, f.reread()
}

// RemoveToken revokes a token.
func (f *File) RemoveToken(id string) error {
	if !unset(f.section("tokens"), id) {
		return fmt.Errorf("there is no token %.60q: `tapedeck token ls` lists them", id)
	}
	return f.reread()
}

// reread checks what the file would say now.
func (f *File) reread() error {
	text, err := f.encode()
	if err != nil {
		return err
	}
	fresh, err := parseFile(f.path, text)
	if err == nil {
		*f = *fresh
	}
	return err
}

func (f *File) encode() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(f.doc), e.Close()); err != nil {
		return nil, fmt.Errorf("access: write %s: %w", f.path, err)
	}
	return b.Bytes(), nil
}

// section is the mapping of accounts or tokens, made if it is not there.
func (f *File) section(name string) *yaml.Node {
	top := f.doc.Content[0]
	n := valueOf(top, name)
	if n == nil {
		n = mapping()
		set(top, name, n)
	}
	if n.Kind != yaml.MappingNode { // the key alone
		*n = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", HeadComment: n.HeadComment, LineComment: n.LineComment, FootComment: n.FootComment}
	}
	return n
}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"} }

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

func list[T ~string](items []T) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
	for _, item := range items {
		n.Content = append(n.Content, text(string(item)))
	}
	return n
}

// valueOf is what a key of a mapping has; nil: there is no such key.
func valueOf(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

func set(m *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content[i+1] = value
			return
		}
	}
	m.Content = append(m.Content, text(key), value)
}

// unset takes a key out, and reports whether it was there.
func unset(m *yaml.Node, key string) bool {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content = slices.Delete(m.Content, i, i+2)
			return true
		}
	}
	return false
}
