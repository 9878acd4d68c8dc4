// Package confirm asks FreeSWITCH, over its watch link, whether a leg that has reached the
// outbound socket is one of its own, and what is true of it. Whoever can connect to that
// socket can say anything; on the watch link FreeSWITCH itself answers.
package confirm

import (
	"context"
	"errors"
	"strings"
	"sync"

	"tapedeck/esl"
)

// Link is the watch link to one FreeSWITCH.
type Link interface {
	Post(ctx context.Context, commands []esl.Command) (wait func() ([]esl.Reply, error))
}

// Standing is what FreeSWITCH says of a leg on the outbound socket.
type Standing int

const (
	// Unlinked: no link to its FreeSWITCH is up, so nobody can be asked.
	Unlinked Standing = iota
	// Late: FreeSWITCH has not answered in time.
	Late
	// Elsewhere: FreeSWITCH has the leg, and it is not at a socket now.
	Elsewhere
	// Confirmed: FreeSWITCH has the leg, and it is at a socket.
	Confirmed
	// Unknown: FreeSWITCH does not have the leg.
	Unknown
	// Forged: FreeSWITCH has the leg, and another Core-UUID.
	Forged
)

// Asker asks. Any goroutine may use it.
type Asker struct {
	links map[string]Link

	mu    sync.Mutex
	cores map[string]string // by the switch's name: its Core-UUID
}

// New makes an Asker of the links, by the switch's name.
func New(links map[string]Link) *Asker {
	return &Asker{links: links, cores: map[string]string{}}
}

// Learn takes the Core-UUID of a switch. A FreeSWITCH that was started anew has a new one.
func (a *Asker) Learn(switchName, core string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cores[switchName] = core
}

// of are the links to the switch that has this Core-UUID; all links if none is known to
// have it.
func (a *Asker) of(core string) []Link {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []Link
	for name, link := range a.links {
		if a.cores[name] == core {
			return []Link{link}
		}
		all = append(all, link)
	}
	return all
}

// Ask asks for a leg that says that it is of the switch with this Core-UUID. data is
// what FreeSWITCH says of it, if it has the leg, and nil otherwise. It waits for the answer
// until ctx ends.
func (a *Asker) Ask(ctx context.Context, leg, core string) (is Standing, data *esl.Event) {
	links := a.of(core)
	waits := make([]func() ([]esl.Reply, error), len(links))
	for i, link := range links {
		waits[i] = link.Post(ctx, []esl.Command{esl.API("uuid_dump", leg)})
	}
	is = Unknown
	if len(links) == 0 {
		is = Unlinked
	}
	for _, wait := range waits { // what is not known of one switch may hide the leg
		one, found := read(wait())
		switch {
		case found != nil && found.Get("Unique-ID") == leg:
			return standing(found, core), found
		case found != nil: // of another leg: no answer
			is = Late
		case one != Unknown && (is == Unknown || one == Late):
			is = one
		}
	}
	return is, nil
}

// read reads the answer of one switch: the leg's data, or why there are none.
func read(replies []esl.Reply, err error) (Standing, *esl.Event) {
	switch {
	case errors.Is(err, esl.ErrLinkDown), errors.Is(err, esl.ErrClosed):
		return Unlinked, nil
	case errors.Is(err, esl.ErrRefused): // no leg of FreeSWITCH has such a name
		return Unknown, nil
	case err != nil:
		return Late, nil
	}
	if data := replies[0].Dump(); data != nil {
		return Confirmed, data
	}
	if strings.HasPrefix(replies[0].Text(), "-ERR No such channel") {
		return Unknown, nil
	}
	return Late, nil
}

// standing is that of a leg which FreeSWITCH has. A leg that waits at a socket runs no
// other application (switch_core_session.c, switch_core_session_exec).
func standing(data *esl.Event, core string) Standing {
	switch {
	case data.Get("Core-UUID") != core:
		return Forged
	case data.Variable("current_application") != "socket":
		return Elsewhere
	}
	return Confirmed
}
