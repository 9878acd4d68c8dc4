// Package survey asks a FreeSWITCH for the state of its legs at one moment. It asks
// for each leg separately, because `show channels` is written late: it lists legs
// that are gone and lacks legs that exist (switch_core_sqldb.c).
package survey

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"tapedeck/call/handover"
	"tapedeck/esl"
)

// Link is the watch link to a FreeSWITCH.
type Link interface {
	SendAll(ctx context.Context, commands []esl.Command) ([]esl.Reply, error)
}

// Data is what FreeSWITCH says of a channel.
type Data interface {
	Get(header string) string
	Variable(name string) string
}

// Legs are the legs that a FreeSWITCH has, and whether each one is answered.
type Legs map[string]bool

// Has reports whether the leg exists.
func (l Legs) Has(uuid string) bool { _, has := l[uuid]; return has }

// Survey is what a FreeSWITCH says of its legs.
type Survey struct {
	Data  map[string]Data // channel data of the legs that exist
	Live  Legs
	Peers map[string]string // by leg: the leg that it talks to
	bugs  map[string]string // uuid_buglist of the recorded legs and of their peers
}

// Of is a survey that only knows that one leg exists.
func Of(leg string, answered bool) Survey { return Survey{Live: Legs{leg: answered}} }

// ByCreation are the legs that exist, the oldest first.
func (s Survey) ByCreation() []string {
	created := func(uuid string) int { // in microseconds since 1970
		at, _ := strconv.Atoi(s.Data[uuid].Get("Caller-Channel-Created-Time"))
		return at
	}
	return slices.SortedFunc(maps.Keys(s.Data), func(a, b string) int {
		return cmp.Or(cmp.Compare(created(a), created(b)), strings.Compare(a, b))
	})
}

// Forget takes a leg out of the survey.
func (s Survey) Forget(leg string) {
	delete(s.Data, leg)
	delete(s.Live, leg)
	delete(s.Peers, s.Peers[leg])
	delete(s.Peers, leg)
}

// IsRecording reports whether a leg is being recorded to this file. known is false
// if the survey did not ask for that.
func (s Survey) IsRecording(leg, file string) (yes, known bool) {
	text, known := s.bugs[leg]
	return strings.Contains(text, "<target>"+file+"</target>"), known
}

// Variable is a variable of a leg; "" if the leg or the variable does not exist.
func (s Survey) Variable(leg, name string) string {
	if data := s.Data[leg]; data != nil {
		return data.Variable(name)
	}
	return ""
}

// dump is the JSON of uuid_dump. A variable with several values is an array there;
// it is left out, because no variable that we read has several.
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

// atOnce is how many legs are asked for in one write. The answer for one leg has
// about 10 KB.
const atOnce = 64

// Listed are the legs that `show channels` lists: nearly all.
func Listed(ctx context.Context, link Link) ([]string, error) {
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
		return nil, errors.New("survey: show channels: FreeSWITCH did not answer in JSON: load mod_commands")
	}
	legs := make([]string, 0, len(shown.Rows))
	for _, r := range shown.Rows {
		legs = append(legs, r.UUID)
	}
	return legs, nil
}

// All surveys the legs that are listed and those that are known.
func All(ctx context.Context, link Link, known []string) (Survey, error) {
	legs, err := Listed(ctx, link)
	if err != nil {
		return Survey{}, err
	}
	return Ask(ctx, link, append(legs, known...))
}

// Ask surveys these legs and their peers. It also asks which files the recorded legs
// and their peers are being recorded to.
func Ask(ctx context.Context, link Link, legs []string) (Survey, error) {
	s := Survey{Data: map[string]Data{}, Live: Legs{}, Peers: map[string]string{}, bugs: map[string]string{}}
	slices.Sort(legs)
	if err := s.dump(ctx, link, slices.Compact(legs)); err != nil {
		return s, err
	}
	var others []string
	for _, data := range s.Data {
		if other := data.Variable("signal_bond"); IsUUID(other) && s.Data[other] == nil {
			others = append(others, other)
		}
	}
	if err := s.dump(ctx, link, others); err != nil {
		return s, err
	}
	for uuid, data := range s.Data {
		s.Live[uuid] = data.Get("Answer-State") == "answered"
	}
	s.pair()
	return s, s.listBugs(ctx, link)
}

// dump asks for the channel data of legs. FreeSWITCH says so if a leg is gone. Any
// other answer that cannot be read is an error, because it does not prove that the
// leg is gone.
func (s Survey) dump(ctx context.Context, link Link, legs []string) error {
	return inChunks(ctx, link, legs, func(uuid string) esl.Command { return esl.API("uuid_dump", uuid, "json") }, func(uuid, text string) error {
		if strings.HasPrefix(text, "-ERR No such channel") {
			return nil
		}
		var data dump
		if err := json.Unmarshal([]byte(text), &data); err != nil || data.Get("Unique-ID") != uuid {
			return fmt.Errorf("survey: uuid_dump of %s: FreeSWITCH did not answer with the leg in JSON: load mod_commands", uuid)
		}
		s.Data[uuid] = data
		return nil
	})
}

// pair finds out who talks to whom: two answered legs that name each other. If only
// one leg names the other, it may be one that it talked to before.
func (s Survey) pair() {
	for uuid, data := range s.Data {
		other := data.Variable("signal_bond")
		if s.Live[uuid] && s.Live[other] && data.Variable("bridge_uuid") == other &&
			s.Data[other].Variable("signal_bond") == uuid && s.Data[other].Variable("bridge_uuid") == uuid {
			s.Peers[uuid] = other
		}
	}
}

// listBugs asks for the recordings of the recorded legs and, because of the Record
// key's markers, of their peers.
func (s Survey) listBugs(ctx context.Context, link Link) error {
	recorded := func(uuid string) bool { return s.Variable(uuid, handover.Variable) != "" }
	legs := slices.DeleteFunc(slices.Collect(maps.Keys(s.Data)), func(uuid string) bool {
		return !recorded(uuid) && !recorded(s.Peers[uuid])
	})
	return inChunks(ctx, link, legs, func(uuid string) esl.Command { return esl.API("uuid_buglist", uuid) }, func(uuid, text string) error {
		if strings.HasPrefix(text, "<media-bugs>") {
			s.bugs[uuid] = text
		}
		return nil
	})
}

// Snapshots returns the latest snapshot of each call in the survey. It calls bad for
// each snapshot that cannot be read.
func (s Survey) Snapshots(bad func(leg string, err error)) map[string]handover.Snapshot {
	newest := map[string]handover.Snapshot{}
	for uuid, data := range s.Data {
		text := data.Variable(handover.Variable)
		if text == "" || !s.Live.Has(uuid) {
			continue
		}
		k, err := handover.Read(text)
		if err != nil {
			bad(uuid, err)
			continue
		}
		if k.Anchor == "" && uuid != k.First && !s.Live[uuid] { // it only rings
			continue
		}
		k = k.AnsweredOn(uuid)
		if before, there := newest[k.Call]; !there || before.Serial < k.Serial {
			newest[k.Call] = k
		}
	}
	return newest
}

// inChunks sends one command about each leg, atOnce of them in one write, and passes
// each reply to took. It leaves out a leg whose name cannot be sent, so that the
// others are asked.
func inChunks(ctx context.Context, link Link, legs []string, command func(uuid string) esl.Command, took func(uuid, text string) error) error {
	legs = slices.DeleteFunc(slices.Clone(legs), func(uuid string) bool { return !isASCII(uuid) || command(uuid).Validate() != nil })
	for some := range slices.Chunk(legs, atOnce) {
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

// isASCII reports whether a leg's name is ASCII. JSON may not keep the bytes of any
// other name.
func isASCII(leg string) bool {
	return !strings.ContainsFunc(leg, func(r rune) bool { return r > unicode.MaxASCII })
}

// IsUUID reports whether a leg's name has the form of one that FreeSWITCH makes.
func IsUUID(leg string) bool {
	return len(leg) > 0 && len(leg) <= 64 && !strings.ContainsFunc(leg, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-'
	})
}
