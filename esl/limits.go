package esl

import (
	"cmp"
	"time"
)

// Limits bound the memory and the time that a peer can cost. Zero means the
// default, which stands at each field.
type Limits struct {
	// Block is the largest header block in bytes: 256 KB. The largest one that
	// FreeSWITCH writes is the channel data that answers `connect`, about 7 KB.
	Block int
	// Headers is how many header lines a block or an event may have: 131,072. A caller
	// may write so many into an INVITE that FreeSWITCH itself needs minutes for them,
	// because it searches all variables for each new one.
	Headers int
	// Body is the largest body in bytes: 16 MB. FreeSWITCH 1.10.12 bounds only
	// what it reads itself (mod_event_socket.c, read_packet, max_len: 10 MB).
	Body int
	// Events and EventBytes are how many events may wait to be taken (16384)
	// and how much memory they may hold (64 MB). One more ends the connection
	// with ErrOverflow.
	Events, EventBytes int
	// Unanswered is how many commands may wait for their reply: 4096. A command
	// whose sender has given up still counts.
	Unanswered int
	// Reply is how long a Send waits when its context has no deadline: 10 s.
	Reply time.Duration
	// Write is how long the peer may take to read what is written: 5 s.
	Write time.Duration
}

// maxOut is how many bytes may wait to be written to a peer.
const maxOut = 4 << 20

// orDefaults replaces each zero by the default.
func (l Limits) orDefaults() Limits {
	return Limits{
		Block:      cmp.Or(l.Block, 256<<10),
		Headers:    cmp.Or(l.Headers, 128<<10),
		Body:       cmp.Or(l.Body, 16<<20),
		Events:     cmp.Or(l.Events, 16384),
		EventBytes: cmp.Or(l.EventBytes, 64<<20),
		Unanswered: cmp.Or(l.Unanswered, 4096),
		Reply:      cmp.Or(l.Reply, 10*time.Second),
		Write:      cmp.Or(l.Write, 5*time.Second),
	}
}
