package store

import "strings"

// The keys. All that belongs to one organisation has the hash tag {organisation}
// and so lies in one slot of a Redis Cluster; the rest stands alone, each key
// used by itself.
//
//	tapedeck:{policy}:current                   string: which policy counts (manifest, JSON)
//	tapedeck:{policy}:switched                  channel: the revision, whenever current changes
//	tapedeck:{acme}:policy:<generation>         hash: organisation, and one field per element
//	tapedeck:{acme}:call:<id>                   string: one live call (LiveCall, JSON)
//	tapedeck:{acme}:calls                       set: the ids of the live calls
//	tapedeck:{calls}:organisations              set: who has, or had, live calls
const (
	currentKey       = "tapedeck:{policy}:current"
	switchedChannel  = "tapedeck:{policy}:switched"
	organisationsKey = "tapedeck:{calls}:organisations"
)

// organisationField is the field of a policy hash that is not an element; an
// element has a slash in it.
const organisationField = "organisation"

func policyKey(organisation, generation string) string {
	return organisationKey(organisation, "policy:"+escape(generation))
}

func callKey(organisation, id string) string {
	return organisationKey(organisation, "call:"+escape(id))
}

func callsKey(organisation string) string { return organisationKey(organisation, "calls") }

func organisationKey(organisation, rest string) string {
	return "tapedeck:{" + escape(organisation) + "}:" + rest
}

// escape makes any id a part of a key that ends where it ends: everything but
// letters, digits and a few signs is written %XX, so that neither a brace nor a
// colon of an id can be taken for one of the key's.
func escape(id string) string {
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
