package index

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// facet is one of the sorted sets that are the index of an organisation's
// recordings. All members of a set have the score 1, so Redis keeps them in the order
// of their bytes:
//
//	<value> 00 <when it started> <id>
//
// All recordings with one value are neighbours, in the order of the list. So a page
// of them, their number, and those of a period are found without reading the others.
// All values with one prefix are neighbours, too. A member may promise too much:
// values are folded and cut, and a member may be left over from an entry that could
// not be read. So what is found is always compared with the recording itself.
type facet int

const (
	byTime      facet = iota // all of them, without a value
	byUser                   // Users
	byGroup                  // Groups
	byNumber                 // External, Number: canonical
	byEnding                 // the same, read backwards, if they are digits
	byTrigger                // Trigger
	byProblem                // those that have Problems, without a value
	byRequester              // RequestedBy
	byID                     // ID; of a UUID its first 8 digits
	facets                   // how many there are
)

var facetNames = [facets]string{"time", "user", "group", "number", "ending", "trigger", "problem", "requester", "id"}

// memberScore is the score of all members. The score of an absent member is read
// as 0.
const memberScore = 1

const (
	maxValue = 64 // bytes of a value
	uuidHead = 8  // hexadecimal digits of a UUID that are enough to find it
)

// member is a member of one of the sets.
type member struct {
	in   facet
	text string
}

// membersOf are the members of a recording, sorted and each once.
func membersOf(r *Recording) []member {
	at := placeOf(r.Started, r.ID)
	var list []member
	add := func(in facet, value string) { list = append(list, member{in, value + "\x00" + at}) }
	add(byTime, "")
	for _, u := range r.Users {
		add(byUser, valueOf(u))
	}
	for _, g := range r.Groups {
		add(byGroup, valueOf(g))
	}
	for _, n := range []string{r.External, r.Number} {
		if n == "" {
			continue
		}
		number := canonical(n)
		add(byNumber, valueOf(number))
		if digits(number) {
			add(byEnding, valueOf(backwards(number)))
		}
	}
	if r.Trigger != "" {
		add(byTrigger, valueOf(r.Trigger))
	}
	if len(r.Problems) > 0 {
		add(byProblem, "")
	}
	if r.RequestedBy != "" {
		add(byRequester, valueOf(r.RequestedBy))
	}
	add(byID, idValue(r.ID))
	slices.SortFunc(list, func(a, b member) int {
		if a.in != b.in {
			return int(a.in - b.in)
		}
		return strings.Compare(a.text, b.text)
	})
	return slices.Compact(list)
}

// fold makes texts equal that differ only in upper and lower case.
func fold(text string) string { return strings.ToLower(strings.ToValidUTF8(text, "�")) }

// valueOf is a text as it is written into the index.
func valueOf(text string) string {
	v := strings.ReplaceAll(fold(text), "\x00", "")
	return v[:min(len(v), maxValue)]
}

func idValue(id string) string {
	if strings.HasPrefix(pack(id), packedUUID) {
		return id[:uuidHead]
	}
	return valueOf(id)
}

// canonical is a number's digits, in whatever notation it is written, without the
// + or 00 of an international number. A text that is no number is folded.
func canonical(number string) string {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" +-./()", r) {
			return -1
		}
		return r
	}, number)
	if !digits(plain) {
		return fold(number)
	}
	if rest, ok := strings.CutPrefix(plain, "00"); ok && rest != "" {
		return rest
	}
	return plain
}

func digits(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}

func backwards(text string) string {
	b := []byte(text)
	slices.Reverse(b)
	return string(b)
}

// A place says where a recording stands in the order of the index: 6 bytes of the
// millisecond, then the packed id. Later recordings have greater places.
const placeTime = 6

func placeOf(started time.Time, id string) string { return timeKey(started) + pack(id) }

// timeKey is how the places of a millisecond begin.
func timeKey(at time.Time) string {
	const origin = 1 << 47
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(min(max(at.UnixMilli(), -origin), origin-1)+origin))
	return string(b[2:])
}

// readPlace is the reverse of placeOf.
func readPlace(at string) (started time.Time, id string, ok bool) {
	if len(at) <= placeTime {
		return time.Time{}, "", false
	}
	var b [8]byte
	copy(b[2:], at)
	id, ok = unpack(at[placeTime:])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b[:])) - 1<<47).UTC(), id, ok
}

// A UUID is packed into 16 bytes, which sort like it; what follows it in an id
// (.part2) comes after them. Other ids are kept as they are.
const (
	packedUUID  = "\x01"
	packedPlain = "\x00"
	uuidLength  = 36
)

func pack(id string) string {
	if len(id) >= uuidLength && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		text := id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:uuidLength]
		if raw, err := hex.DecodeString(text); err == nil && text == strings.ToLower(text) {
			return packedUUID + string(raw) + id[uuidLength:]
		}
	}
	return packedPlain + id
}

func unpack(text string) (id string, ok bool) {
	if id, ok := strings.CutPrefix(text, packedPlain); ok {
		return id, true
	}
	rest, ok := strings.CutPrefix(text, packedUUID)
	if !ok || len(rest) < 16 {
		return "", false
	}
	h := hex.EncodeToString([]byte(rest[:16]))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:] + rest[16:], true
}
