package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"tapedeck/esl"
)

// Phones is the switch that plays all telephones: the users' and the outside parties'.
type Phones struct {
	*Switch
	lab *Lab

	mu    sync.Mutex
	taken map[string]bool // legs that Ringing has returned
}

// Telephone is one call of a telephone.
type Telephone struct {
	UUID   string // of its channel on the phones' switch
	phones *Phones
	tone   Tone // what it speaks when the call is answered
}

// CallFromOutside lets an outside party call a number. context is the dialplan context
// in which the call arrives on the switch under test: public, strict, away or
// strict-away.
func (p *Phones) CallFromOutside(ctx context.Context, context, from, number string) (*Telephone, error) {
	port := p.lab.ports[context]
	return p.originate(ctx, Outside, fmt.Sprintf("origination_caller_id_number=%s", from),
		fmt.Sprintf("sofia/phones/%s@127.0.0.1:%d", number, port))
}

// CallWithCodec is CallFromOutside by a telephone that offers one codec, as FreeSWITCH
// writes it (OPUS@48000h@20i@2c).
func (p *Phones) CallWithCodec(ctx context.Context, context, from, number, codec string) (*Telephone, error) {
	port := p.lab.ports[context]
	return p.originate(ctx, Outside, fmt.Sprintf("origination_caller_id_number=%s,absolute_codec_string=%s", from, codec),
		fmt.Sprintf("sofia/phones/%s@127.0.0.1:%d", number, port))
}

// CallFromUser lets a user's phone dial. more are further variables of its channel.
func (p *Phones) CallFromUser(ctx context.Context, o Org, who Person, number string, more ...string) (*Telephone, error) {
	ext := o.Extension(who)
	vars := fmt.Sprintf("origination_caller_id_number=%s,sip_invite_domain=%s,sip_auth_username=%s,sip_auth_password=pw%s",
		ext, o.Domain(), ext, ext)
	vars = strings.Join(append([]string{vars}, more...), ",")
	return p.originate(ctx, who.Tone(), vars, fmt.Sprintf("sofia/phones/%s@127.0.0.1:%d", number, p.lab.ports["default"]))
}

func (p *Phones) originate(ctx context.Context, tone Tone, vars, to string) (*Telephone, error) {
	uuid, err := p.API(ctx, "create_uuid", "")
	if err != nil {
		return nil, err
	}
	_, err = p.API(ctx, "bgapi", fmt.Sprintf("originate {origination_uuid=%s,ignore_early_media=true,%s}%s speak-%d XML phones", uuid, vars, to, tone))
	if err != nil {
		return nil, err
	}
	return &Telephone{UUID: uuid, phones: p, tone: tone}, nil
}

// Ringing waits until a telephone rings that was dialled as number and that Ringing
// has not returned before.
func (p *Phones) Ringing(ctx context.Context, number string, tone Tone) (*Telephone, error) {
	e, err := p.Wait(ctx, "ringing of "+number, func(e *esl.Event) bool {
		return e.Name() == "CHANNEL_PARK" && e.Get("Call-Direction") == "inbound" &&
			e.Get("Caller-Destination-Number") == number && p.take(e.Get("Unique-ID"))
	})
	if err != nil {
		return nil, err
	}
	return &Telephone{UUID: e.Get("Unique-ID"), phones: p, tone: tone}, nil
}

func (p *Phones) take(uuid string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[uuid] {
		return false
	}
	p.taken[uuid] = true
	return true
}

// PickUp answers a ringing telephone, which then speaks its tone.
func (t *Telephone) PickUp(ctx context.Context) error {
	if _, err := t.phones.API(ctx, "uuid_transfer", fmt.Sprintf("%s speak-%d XML phones", t.UUID, t.tone)); err != nil {
		return err
	}
	return t.Talking(ctx)
}

// Talking waits until the telephone's call is answered.
func (t *Telephone) Talking(ctx context.Context) error {
	_, err := t.phones.Wait(ctx, "answer", Is("CHANNEL_ANSWER", t.UUID))
	return err
}

// HangUp ends the call.
func (t *Telephone) HangUp(ctx context.Context) error {
	_, err := t.phones.API(ctx, "uuid_kill", t.UUID)
	return err
}

// Ended waits until the call has ended and returns the cause.
func (t *Telephone) Ended(ctx context.Context) (cause string, err error) {
	e, err := t.phones.Wait(ctx, "hangup", Is("CHANNEL_HANGUP_COMPLETE", t.UUID))
	if err != nil {
		return "", err
	}
	return e.Get("Hangup-Cause"), nil
}

// Press sends digits of 60 ms each, as close together as FreeSWITCH sends them (RFC
// 4733). While it sends a digit, the telephone does not speak.
func (t *Telephone) Press(ctx context.Context, digits string) error {
	_, err := t.phones.API(ctx, "uuid_send_dtmf", t.UUID+" "+digits+"@60")
	return err
}

// Got waits until the telephone has received these digits.
func (t *Telephone) Got(ctx context.Context, digits string) error {
	var got string
	_, err := t.phones.Wait(ctx, "digits "+digits, func(e *esl.Event) bool {
		if Is("DTMF", t.UUID)(e) {
			got += e.Get("DTMF-Digit")
		}
		return strings.HasSuffix(got, digits)
	})
	if err != nil {
		err = fmt.Errorf("%w: got %q", err, got)
	}
	return err
}

// Digits are the digits that the telephone has received so far.
func (t *Telephone) Digits() (got string) {
	for _, e := range t.phones.Events(Is("DTMF", t.UUID)) {
		got += e.Get("DTMF-Digit")
	}
	return got
}

// RecordKey sends what a phone's record key sends: SIP INFO with the header Record:
// on or off.
func (t *Telephone) RecordKey(ctx context.Context, ask string) error {
	if _, err := t.phones.API(ctx, "uuid_setvar", t.UUID+" sip_info_h_Record "+ask); err != nil {
		return err
	}
	_, err := t.phones.API(ctx, "uuid_send_info", t.UUID)
	return err
}

// Listen begins to record what the telephone hears (channel 1) and says (channel 2),
// and returns the file's path. The file is complete when the call has ended.
func (t *Telephone) Listen(ctx context.Context) (path string, err error) {
	path = filepath.Join(t.phones.Base, "recordings", t.UUID+".wav")
	_, err = t.phones.API(ctx, "uuid_record", t.UUID+" start "+path+" 0 {RECORD_STEREO=true,RECORD_PRE_BUFFER_FRAMES=0}")
	return path, err
}

// Listened waits until a file of Listen is complete, and reads it. began is when its
// recording began.
func (t *Telephone) Listened(ctx context.Context, path string) (s *Sound, began time.Time, err error) {
	var start *esl.Event
	for _, name := range []string{"RECORD_STOP", "RECORD_START"} {
		start, err = t.phones.Wait(ctx, name+" of a telephone", func(e *esl.Event) bool {
			return e.Name() == name && e.Get("Record-File-Path") == path
		})
		if err != nil {
			return nil, began, err
		}
	}
	us, err := strconv.ParseInt(start.Get("Event-Date-Timestamp"), 10, 64)
	if err != nil {
		return nil, began, fmt.Errorf("lab: RECORD_START: %w", err)
	}
	s, err = Listen(path)
	return s, time.UnixMicro(us), err
}

// Join lets a telephone join two of its calls by itself: it and the other parties of both
// hear each other.
func (p *Phones) Join(ctx context.Context, one, two *Telephone) error {
	room := "join-" + one.UUID
	for _, call := range []*Telephone{one, two} {
		if _, err := p.API(ctx, "uuid_transfer", call.UUID+" conference:"+room+"@default inline"); err != nil {
			return err
		}
		if _, err := p.Wait(ctx, "joining of two calls", func(e *esl.Event) bool {
			return IsCustom("conference::maintenance", "Unique-ID", call.UUID)(e) && e.Get("Action") == "add-member"
		}); err != nil {
			return err
		}
	}
	_, err := p.API(ctx, "conference", fmt.Sprintf("%s play tone_stream://%%(1000,0,%d);loops=-1", room, one.tone))
	return err
}

// Hold puts the other party on hold.
func (t *Telephone) Hold(ctx context.Context) error {
	_, err := t.phones.API(ctx, "uuid_hold", t.UUID)
	return err
}

// Unhold ends Hold.
func (t *Telephone) Unhold(ctx context.Context) error {
	_, err := t.phones.API(ctx, "uuid_hold", "off "+t.UUID)
	return err
}

// Transfer sends the other party to an extension (REFER), and the telephone leaves the
// call.
func (t *Telephone) Transfer(ctx context.Context, to string) error {
	return t.refer(ctx, fmt.Sprintf("sip:%s@127.0.0.1:%d", to, t.phones.lab.ports["default"]))
}

// TransferInto connects the other party with the other party of a second call of the
// same telephone (REFER with Replaces).
func (t *Telephone) TransferInto(ctx context.Context, consult *Telephone, to string) error {
	replaces, err := consult.Replaces(ctx)
	if err != nil {
		return err
	}
	escaped := strings.NewReplacer(";", "%3B", "=", "%3D").Replace(replaces)
	return t.refer(ctx, fmt.Sprintf("<sip:%s@127.0.0.1:%d?Replaces=%s>", to, t.phones.lab.ports["default"], escaped))
}

// Replaces names the telephone's SIP dialogue as the header Replaces does (RFC 3891).
func (t *Telephone) Replaces(ctx context.Context) (string, error) {
	var values [3]string
	for i, name := range []string{"sip_call_id", "sip_to_tag", "sip_from_tag"} {
		v, err := t.phones.API(ctx, "uuid_getvar", t.UUID+" "+name)
		if err != nil {
			return "", err
		}
		values[i] = v
	}
	return fmt.Sprintf("%s;to-tag=%s;from-tag=%s", values[0], values[1], values[2]), nil
}

// refer sends a REFER and returns at once: FreeSWITCH as a phone waits for the result
// of the transfer, which may come only when somebody has answered.
func (t *Telephone) refer(ctx context.Context, target string) error {
	_, err := t.phones.API(ctx, "bgapi", "uuid_deflect "+t.UUID+" "+target)
	return err
}

// callID is the Call-ID of the telephone's SIP dialogue.
func (t *Telephone) callID(ctx context.Context) (string, error) {
	e, err := t.phones.Wait(ctx, "Call-ID", func(e *esl.Event) bool {
		return e.Get("Unique-ID") == t.UUID && e.Variable("sip_call_id") != ""
	})
	if err != nil {
		return "", err
	}
	return e.Variable("sip_call_id"), nil
}

// Rang reports what the calling telephone got before the answer: ringing without
// sound (180), and sound (183).
func (t *Telephone) Rang() (ringing, sound bool) {
	for _, e := range t.phones.Events(func(e *esl.Event) bool { return e.Get("Unique-ID") == t.UUID }) {
		switch e.Name() {
		case "CHANNEL_PROGRESS":
			ringing = true
		case "CHANNEL_PROGRESS_MEDIA":
			sound = true
		case "CHANNEL_ANSWER":
			return ringing, sound
		}
	}
	return ringing, sound
}
