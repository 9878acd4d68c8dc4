package store

import (
	"strings"
	"unicode/utf8"
)

// The keys. All that belongs to one organisation has the hash tag {organisation}
// and so lies in one slot of a Redis Cluster; the rest stands alone, each key
// used by itself. Several versions of Tapedeck may share a Redis: a key or the
// layout of its value never changes, it gets another name. A seal is a field more at the end
// of a JSON text (seal.go), which those without a key ignore.
//
// store/policy:
//
//	tapedeck:{policy}:current                   string: which policy counts (manifest, JSON)
//	tapedeck:{policy}:switched                  channel: the revision, whenever current changes
//	tapedeck:{acme}:policy:<generation>         hash: organisation, and one field per element
//
// store/calls:
//
//	tapedeck:{acme}:live:<id>                   hash: one live call (owner, token, body), see store/calls/script.go
//	tapedeck:{acme}:live                        sorted set: the ids of the live calls, by when they were written (s)
//	tapedeck:{calls}:organisations              set: who has, or had, live calls
//	tapedeck:{calls}:changed                    channel: an organisation, whenever its live calls have changed
//	tapedeck:{instances}:beat:<instance>        string: is there as long as the instance lives
//	tapedeck:{instances}:pulse:<instance>       string: a number that grows with each sign of life
//	tapedeck:{instances}:known                  set: the instances that live, or did a moment ago
//
// store/ask:
//
//	tapedeck:{ask}:to:<instance>                channel: what others ask of the instance and answer to it
//	tapedeck:{ask}:request:<nonce>              string: a request that nobody has taken yet
//
// store/session:
//
//	tapedeck:{sessions}:session:<id>            string: one session (Session, JSON); empty: it was ended
//	tapedeck:{sessions}:of:<account>            sorted set: the ids of the account's sessions, by when they expire (ms)
//
// store/index:
//
//	tapedeck:{acme}:recording:<id>              string: one recording (Recording, JSON)
//	tapedeck:{acme}:recordings:by-<facet>       sorted set: the index of the recordings, by time, user, group, number, ..., see store/index/facet.go
//	tapedeck:{acme}:recordings:written          sorted set: the ids of the recordings, by the stamp of the last writing, see store/index/script.go
//	tapedeck:{acme}:recordings:deleted          sorted set: what was deleted lately, by stamp
//	tapedeck:{acme}:recordings:stamp            string: the last stamp
//	tapedeck:{recordings}:organisations         set: who has, or had, recordings
//	tapedeck:{recordings}:indexed:<layout>      string: the beginning of the last Reindex in this layout that was completed
//	tapedeck:{recordings}:indexing              sorted set: who makes the index now, by the last mark (s), see store/index/mark.go

// probedKey is the key that the Conn asks for, to see whether Redis answers:
// that of the policy that counts.
const probedKey = "tapedeck:{policy}:current"

// Key is the key of something that belongs to an organisation. rest is made of
// constant text and of ids that Escape has made harmless.
func Key(organisation, rest string) string {
	return "tapedeck:{" + Escape(organisation) + "}:" + rest
}

// Escape makes any id a part of a key that ends where it ends: everything but
// letters, digits and a few signs is written %XX, so that neither a brace nor a
// colon of an id can be taken for one of the key's.
func Escape(id string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.+@~", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// ID names a thing and the organisation (of a session: the account) that it
// belongs to.
type ID struct{ Organisation, ID string }

// maxIDSize is how many bytes both parts of an ID may have together.
const maxIDSize = 1 << 16

// Unfit says why nothing can have this name in Redis; empty if it can.
func (id ID) Unfit() string {
	switch {
	case id.Organisation == "" || id.ID == "":
		return "no id"
	case !utf8.ValidString(id.Organisation) || !utf8.ValidString(id.ID):
		return "id is not UTF-8"
	case len(id.Organisation)+len(id.ID) > maxIDSize:
		return "id is too large"
	}
	return ""
}
