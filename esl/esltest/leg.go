package esltest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Leg describes one leg of a call.
type Leg struct {
	UUID        string // default: random
	Profile     string // SIP profile: external (default) or internal
	Name        string // caller's name; default: Number
	Number      string // caller's number; Dial takes it from the dialling leg
	Destination string // number dialled, or the phone that is called
	Host        string // of the SIP address; default 127.0.0.1, for Dial with :6060
	Context     string // default: public for external, default for internal
	ToneHz      int    // what this party is heard as; 0: silent

	// Variables are set before CHANNEL_CREATE, in the order of their names.
	// Dial puts dialed_user and dialed_domain on the dialling leg too, as
	// FreeSWITCH's user/ endpoint does.
	Variables map[string]string
}

func (l Leg) withDefaults(host string) Leg {
	if l.UUID == "" {
		l.UUID = newUUID()
	}
	if l.Profile == "" {
		l.Profile = "external"
	}
	if l.Name == "" {
		l.Name = l.Number
	}
	if l.Host == "" {
		l.Host = host
	}
	if l.Context == "" {
		l.Context = "default"
		if l.Profile == "external" {
			l.Context = "public"
		}
	}
	return l
}

// Incoming is a call that a SIP profile has just received: after CHANNEL_CREATE the
// channel is in the dialplan, ringing.
func (s *Switch) Incoming(leg Leg) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	leg = leg.withDefaults("127.0.0.1")
	c := s.newChannel(leg, "inbound", leg.Number+"@"+leg.Host)
	c.profile.callerName, c.profile.callerNumber = leg.Name, leg.Number
	c.profile.originalName, c.profile.originalNumber = leg.Name, leg.Number
	c.profile.username, c.profile.ani = leg.Number, leg.Number
	c.dialplan = true
	c.setInboundVariables(leg)
	c.create(leg)
	c.state, c.callState = "CS_EXECUTE", "RINGING"
	return c
}

func (s *Switch) newChannel(leg Leg, direction, address string) *Channel {
	s.sessions++
	now := s.tick()
	c := &Channel{
		sw: s, uuid: leg.UUID, tone: leg.ToneHz, done: make(chan struct{}),
		outbound: direction == "outbound", state: "CS_INIT", callState: "DOWN",
	}
	c.profile = profile{
		direction: direction, uuid: c.uuid, destination: leg.Destination, context: leg.Context,
		address: "127.0.0.1", channelName: "sofia/" + leg.Profile + "/" + address, index: "1",
	}
	c.profile.times.created, c.profile.times.profileCreated = now, now
	c.vars.set("direction", direction)
	if c.outbound {
		c.vars.set("is_outbound", "true")
	}
	c.vars.set("uuid", c.uuid)
	c.vars.set("session_id", fmt.Sprint(s.sessions))
	s.channels[c.uuid] = c
	s.order = append(s.order, c)
	return c
}

// create sets the leg's own variables and fires CHANNEL_CREATE.
func (c *Channel) create(leg Leg) {
	for _, name := range slices.Sorted(maps.Keys(leg.Variables)) {
		c.vars.set(name, leg.Variables[name])
	}
	c.fire("CHANNEL_CREATE")
}

func (c *Channel) setInboundVariables(leg Leg) {
	port, from := "5060", "6060"
	if leg.Profile == "external" {
		port, from = "5080", "6080"
	}
	user, dest := leg.Number, leg.Destination
	for _, h := range []header{
		{"sip_from_user", user},
		{"sip_from_uri", user + "@" + leg.Host},
		{"sip_from_host", leg.Host},
		{"video_media_flow", "disabled"},
		{"text_media_flow", "disabled"},
		{"channel_name", c.profile.channelName},
		{"sip_call_id", newUUID()},
		{"sip_local_network_addr", "127.0.0.1"},
		{"sip_network_ip", "127.0.0.1"},
		{"sip_network_port", from},
		{"sip_invite_stamp", stamp(c.profile.times.created)},
		{"sip_received_ip", "127.0.0.1"},
		{"sip_received_port", from},
		{"sip_via_protocol", "udp"},
		{"sip_from_user_stripped", strings.TrimPrefix(user, "+")},
		{"sofia_profile_name", leg.Profile},
		{"sofia_profile_url", "sip:mod_sofia@127.0.0.1:" + port},
		{"recovery_profile_name", leg.Profile},
		{"sip_cid_type", "rpid"},
		{"sip_from_display", leg.Name},
		{"sip_full_from", fmt.Sprintf("%q <sip:%s@%s>;tag=%s", leg.Name, user, leg.Host, newUUID()[:8])},
		{"sip_full_to", fmt.Sprintf("<sip:%s@127.0.0.1:%s>", dest, port)},
		{"sip_allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY"},
		{"sip_req_user", dest},
		{"sip_req_port", port},
		{"sip_req_uri", dest + "@127.0.0.1:" + port},
		{"sip_req_host", "127.0.0.1"},
		{"sip_to_user", dest},
		{"sip_to_port", port},
		{"sip_to_uri", dest + "@127.0.0.1:" + port},
		{"sip_to_host", "127.0.0.1"},
		{"sip_contact_user", "mod_sofia"},
		{"sip_contact_host", "127.0.0.1"},
		{"sip_user_agent", "FreeSWITCH-mod_sofia/1.10.12-release"},
		{"max_forwards", "70"},
		{"switch_r_sdp", "v=0\r\no=FreeSWITCH 1795160907 1795160908 IN IP4 127.0.0.1\r\ns=FreeSWITCH\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 32536 RTP/AVP 0 101 13\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"},
		{"ep_codec_string", "CORE_PCM_MODULE.PCMU@8000h@20i@64000b"},
		{"rtp_use_codec_string", "PCMU"},
		{"audio_media_flow", "sendrecv"},
		{"rtp_use_codec_name", "PCMU"},
		{"rtp_use_codec_rate", "8000"},
		{"rtp_use_codec_ptime", "20"},
		{"rtp_use_codec_channels", "1"},
		{"read_codec", "PCMU"},
		{"original_read_codec", "PCMU"},
		{"read_rate", "8000"},
		{"original_read_rate", "8000"},
		{"write_codec", "PCMU"},
		{"write_rate", "8000"},
		{"dtmf_type", "rfc2833"},
		{"endpoint_disposition", "RECEIVED"},
		{"DP_MATCH", "ARRAY::" + dest + "|:" + dest},
		{"call_uuid", c.uuid},
	} {
		c.vars.set(h.name, h.value)
	}
}
