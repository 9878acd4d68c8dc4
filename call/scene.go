package call

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"tapedeck/esl"
	"tapedeck/recording"
)

// scene is what a FreeSWITCH says of its legs at one moment. It is asked of each
// leg itself: `show channels` is written late, has legs that are gone and lacks
// legs that are there (switch_core_sqldb.c).
type scene struct {
	dumps map[string]headers // the legs that there are, and their channel data
	live  liveLegs
	peers map[string]string // who talks to whom
	bugs  map[string]string // uuid_buglist of recorded legs, and of those that they talk to

	drafts []recording.Sidecar // what lay beside the files
}

// runs reports whether a file is being written on a leg.
func (s scene) runs(leg, file string) (yes, known bool) {
	text, known := s.bugs[leg]
	return strings.Contains(text, "<target>"+file+"</target>"), known
}

// dump is uuid_dump's JSON. A variable with several values is an array there; it
// is left out, as none of ours has several.
type dump map[string]string

func (d *dump) UnmarshalJSON(text []byte) error {
	var values map[string]any
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	*d = make(dump, len(values))
	for name, value := range values {
		if one, ok := value.(string); ok {
			(*d)[name] = one
		}
	}
	return nil
}

func (d dump) Get(header string) string    { return d[header] }
func (d dump) Variable(name string) string { return d["variable_"+name] }

// surveyAtOnce is how many legs are asked about in one write: a leg's answer has
// some 10 KB.
const surveyAtOnce = 64

// listed are the legs that `show channels` has: nearly all.
func listed(ctx context.Context, link Switch) ([]string, error) {
	replies, err := link.SendAll(ctx, []esl.Command{esl.API("show", "channels", "as", "json")})
	if err != nil {
		return nil, err
	}
	var shown struct {
		Rows []struct {
			UUID string `json:"uuid"`
		} `json:"rows"`
	}
	if err := json.Unmarshal([]byte(replies[0].Text()), &shown); err != nil {
		return nil, errors.New("call: show channels: FreeSWITCH did not answer in JSON: load mod_commands")
	}
	legs := make([]string, 0, len(shown.Rows))
	for _, r := range shown.Rows {
		legs = append(legs, r.UUID)
	}
	return legs, nil
}

// survey asks a FreeSWITCH for these legs, those that they talk to, and what
// listens to the recorded ones and to those that they talk to.
func survey(ctx context.Context, link Switch, legs []string) (scene, error) {
	now := scene{dumps: map[string]headers{}, live: liveLegs{}, peers: map[string]string{}, bugs: map[string]string{}}
	slices.Sort(legs)
	if err := now.dump(ctx, link, slices.Compact(legs)); err != nil {
		return now, err
	}
	var others []string
	for _, data := range now.dumps {
		if other := data.Variable("signal_bond"); isUUID(other) && now.dumps[other] == nil {
			others = append(others, other)
		}
	}
	if err := now.dump(ctx, link, others); err != nil {
		return now, err
	}
	for uuid, data := range now.dumps {
		now.live[uuid] = data.Get("Answer-State") == "answered"
	}
	now.pair()
	return now, now.listBugs(ctx, link)
}

// dump asks for the channel data of legs. One that is gone has none, and says so;
// anything else that cannot be read is no proof that a leg is gone.
func (s scene) dump(ctx context.Context, link Switch, legs []string) error {
	return inChunks(ctx, link, legs, func(uuid string) esl.Command { return esl.API("uuid_dump", uuid, "json") }, func(uuid, text string) error {
		if strings.HasPrefix(text, "-ERR No such channel") {
			return nil
		}
		var data dump
		if err := json.Unmarshal([]byte(text), &data); err != nil || data.Get("Unique-ID") != uuid {
			return fmt.Errorf("call: uuid_dump of %s: FreeSWITCH did not answer with the leg in JSON: load mod_commands", uuid)
		}
		s.dumps[uuid] = data
		return nil
	})
}

// pair finds who talks to whom: two answered legs that name each other. One side
// alone may name a leg that it talked to before.
func (s scene) pair() {
	for uuid, data := range s.dumps {
		other := data.Variable("signal_bond")
		if s.live[uuid] && s.live[other] && data.Variable("bridge_uuid") == other &&
			s.dumps[other].Variable("signal_bond") == uuid && s.dumps[other].Variable("bridge_uuid") == uuid {
			s.peers[uuid] = other
		}
	}
}

// listBugs asks for what listens to the recorded legs, and, for the record key, to
// those that they talk to.
func (s scene) listBugs(ctx context.Context, link Switch) error {
	recorded := func(uuid string) bool {
		data := s.dumps[uuid]
		return data != nil && data.Variable(liveVariable) != ""
	}
	legs := slices.DeleteFunc(slices.Collect(maps.Keys(s.dumps)), func(uuid string) bool {
		return !recorded(uuid) && !recorded(s.peers[uuid])
	})
	return inChunks(ctx, link, legs, func(uuid string) esl.Command { return esl.API("uuid_buglist", uuid) }, func(uuid, text string) error {
		if strings.HasPrefix(text, "<media-bugs>") {
			s.bugs[uuid] = text
		}
		return nil
	})
}

// inChunks sends a command about each leg, some at a time, and takes the replies.
// A leg that cannot be asked for is left out: it keeps nobody from the others.
func inChunks(ctx context.Context, link Switch, legs []string, command func(uuid string) esl.Command, took func(uuid, text string) error) error {
	legs = slices.DeleteFunc(slices.Clone(legs), func(uuid string) bool { return !isASCII(uuid) || command(uuid).Validate() != nil })
	for some := range slices.Chunk(legs, surveyAtOnce) {
		send := make([]esl.Command, len(some))
		for i, uuid := range some {
			send[i] = command(uuid)
		}
		replies, err := link.SendAll(ctx, send)
		if err != nil {
			return err
		}
		for i, r := range replies {
			if err := took(some[i], r.Text()); err != nil {
				return err
			}
		}
	}
	return nil
}

// isASCII reports whether a leg's name is in ASCII: of any other, JSON may not have
// the same bytes.
func isASCII(leg string) bool {
	return !strings.ContainsFunc(leg, func(r rune) bool { return r > unicode.MaxASCII })
}

// isUUID reports whether a leg's name can be asked for.
func isUUID(leg string) bool {
	return len(leg) > 0 && len(leg) <= 64 && !strings.ContainsFunc(leg, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-'
	})
}
