package store

import "strings"

// The keys. All that belongs to one organisation has the hash tag {organisation}
// and so lies in one slot of a Redis Cluster; the rest stands alone, each key
// used by itself.
//
//	tapedeck:{policy}:current                   string: which policy counts (manifest, JSON)
//	tapedeck:{policy}:switched                  channel: the revision, whenever current changes
//	tapedeck:{acme}:policy:<generation>         hash: organisation, and one field per element
//	tapedeck:{acme}:live:<id>                   hash: one live call (owner, token, body), see fence.go
//	tapedeck:{acme}:live                        sorted set: the ids of the live calls, by when they were written (s)
//	tapedeck:{calls}:organisations              set: who has, or had, live calls
//	tapedeck:{calls}:changed                    channel: an organisation, whenever its live calls have changed
//	tapedeck:{ask}:to:<instance>                channel: what others ask of the instance and answer to it, see ask.go
//	tapedeck:{ask}:request:<nonce>              string: a request that nobody has taken yet
//	tapedeck:{instances}:beat:<instance>        string: is there as long as the instance lives
//	tapedeck:{instances}:pulse:<instance>       string: a number that grows with each sign of life
//	tapedeck:{instances}:known                  set: the instances that live, or did a moment ago
//	tapedeck:{sessions}:session:<id>            string: one session (Session, JSON); empty: it was ended
//	tapedeck:{sessions}:of:<account>            sorted set: the ids of the account's sessions, by when they expire (ms)
//	tapedeck:{acme}:recording:<id>              string: one recording (Recording, JSON)
//	tapedeck:{acme}:recordings:by-<facet>       sorted set: the index of the recordings, by time, user, group, number, ..., see facet.go
//	tapedeck:{acme}:recordings:written          sorted set: the ids of the recordings, by the stamp of the last writing, see recordings.go
//	tapedeck:{acme}:recordings:deleted          sorted set: what was deleted lately, by stamp
//	tapedeck:{acme}:recordings:stamp            string: the last stamp
//	tapedeck:{recordings}:organisations         set: who has, or had, recordings
//	tapedeck:{recordings}:indexed:<layout>      string: when the last making of the index in this layout began that has ended
//	tapedeck:{recordings}:indexing              sorted set: who makes the index now, by the last mark (s), see indexing.go
const (
	currentKey       = "tapedeck:{policy}:current"
	switchedChannel  = "tapedeck:{policy}:switched"
	organisationsKey = "tapedeck:{calls}:organisations"
	changedChannel   = "tapedeck:{calls}:changed"
	instancesKey     = "tapedeck:{instances}:known"
	recordersKey     = "tapedeck:{recordings}:organisations"
	indexedKey       = "tapedeck:{recordings}:indexed:2"
	indexingKey      = "tapedeck:{recordings}:indexing"
)

// organisationField is the field of a policy hash that is not an element; an
// element has a slash in it.
const organisationField = "organisation"

func policyKey(organisation, generation string) string {
	return organisationKey(organisation, "policy:"+escape(generation))
}

func callKey(organisation, id string) string {
	return organisationKey(organisation, "live:"+escape(id))
}

func callsKey(organisation string) string { return organisationKey(organisation, "live") }

func beatKey(instance string) string { return "tapedeck:{instances}:beat:" + escape(instance) }

func pulseKey(instance string) string { return "tapedeck:{instances}:pulse:" + escape(instance) }

func askChannel(instance string) string { return "tapedeck:{ask}:to:" + escape(instance) }

func requestKey(nonce string) string { return "tapedeck:{ask}:request:" + escape(nonce) }

func sessionKey(id string) string { return "tapedeck:{sessions}:session:" + escape(id) }

func sessionsKey(account string) string { return "tapedeck:{sessions}:of:" + escape(account) }

func recordingKey(organisation, id string) string {
	return organisationKey(organisation, "recording:"+escape(id))
}

func facetKey(organisation string, f facet) string {
	return organisationKey(organisation, "recordings:by-"+facetNames[f])
}

func writtenKey(organisation string) string {
	return organisationKey(organisation, "recordings:written")
}

func deletedKey(organisation string) string {
	return organisationKey(organisation, "recordings:deleted")
}

func stampKey(organisation string) string { return organisationKey(organisation, "recordings:stamp") }

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
