package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrNoVanilla says where vanillaConf has looked.
var ErrNoVanilla = errors.New("lab: FreeSWITCH's sample configuration is not installed: put it into conf or etc/freeswitch beside bin")

// VanillaDomain is the SIP domain of the sample configuration: the host's address.
const VanillaDomain = "127.0.0.1"

// VanillaPassword is the password of the sample users 1000 to 1019. vars.xml says to
// change it; calls wait for ten seconds if it is the sample's.
const VanillaPassword = "vanilla-phones"

// VanillaNumber is the telephone number, in E.164, on which an outside party reaches
// an extension of the sample dialplan.
func VanillaNumber(extension string) string { return "+44207946" + extension }

// vanillaConf returns the sample configuration that was installed with the program.
func vanillaConf(binary string) (string, error) {
	prefix := filepath.Dir(filepath.Dir(binary))
	for _, dir := range []string{filepath.Join(prefix, "etc", "freeswitch"), filepath.Join(prefix, "conf"), "/etc/freeswitch"} {
		if _, err := os.Stat(filepath.Join(dir, "dialplan", "default.xml")); err == nil {
			return dir, nil
		}
	}
	return "", ErrNoVanilla
}

// StartVanilla is Start with FreeSWITCH's own sample configuration on the switch under
// test. Its users are played by Baresip; Phones plays outside parties alone. It returns
// ErrNoVanilla if that configuration is not there.
func StartVanilla(ctx context.Context, c Config) (*Lab, error) {
	conf, err := vanillaConf(c.FreeSWITCH)
	if err != nil {
		return nil, err
	}
	p, err := FreePorts(6)
	if err != nil {
		return nil, err
	}
	l := &Lab{ESL: p[0], ports: map[string]int{"default": p[2], "public": p[3]}, own: map[Org]int{}}
	under := switchConfig{Name: "fs1", Base: filepath.Join(c.Dir, "fs1"), ESL: p[0], Profiles: make([]profile, 2)}
	played := c.played(p[1], p[4])
	if under.RTP, played.RTP, err = freeRTP(); err != nil {
		return nil, err
	}
	under.RTPEnd = under.RTP + rtpBlock - 1
	if err := under.copyVanilla(conf, c, l.ports, p[5]); err != nil {
		return nil, err
	}
	if l.Switch, err = startSwitch(ctx, c.FreeSWITCH, under, c.Log); err != nil {
		return nil, err
	}
	return l.startPhones(ctx, c, played)
}

// edit is one change of a file: the text from is replaced by to.
type edit struct{ file, from, to string }

// vanillaEdits are all changes of the sample configuration. Each is needed to run it
// on loopback beside other programs, or is asked for by a README: FreeSWITCH's own
// (the password), or that of freeswitch-conf (event socket, first lines of the
// contexts).
func (c switchConfig) vanillaEdits(ports map[string]int, websocket int) []edit {
	set := func(name, from, to string) edit {
		return edit{"vars.xml", fmt.Sprintf(`cmd="set" data="%s=%s"`, name, from), fmt.Sprintf(`cmd="set" data="%s=%s"`, name, to)}
	}
	stun := func(name string) edit {
		return edit{"vars.xml", `cmd="stun-set" data="` + name + `=stun:stun.freeswitch.org"`, `cmd="set" data="` + name + `=127.0.0.1"`}
	}
	number := func(n int) string { return fmt.Sprint(n) }
	include := func(context string) edit {
		name := `<context name="` + context + `">`
		return edit{"dialplan/" + context + ".xml", name, name + "\n<X-PRE-PROCESS cmd=\"include\" data=\"tapedeck/" + context + ".xml\"/>"}
	}
	return []edit{
		// the host's address is loopback's
		{"vars.xml", `<X-PRE-PROCESS cmd="set" data="domain=`, "<X-PRE-PROCESS cmd=\"set\" data=\"local_ip_v4=127.0.0.1\"/>\n  <X-PRE-PROCESS cmd=\"set\" data=\"domain="},
		stun("external_rtp_ip"), stun("external_sip_ip"),
		set("default_password", "1234", VanillaPassword),
		set("internal_sip_port", "5060", number(ports["default"])), set("external_sip_port", "5080", number(ports["public"])),
		{"sip_profiles/internal.xml", `value=":5066"`, `value="127.0.0.1:` + number(websocket) + `"`},
		{"sip_profiles/internal.xml", `<param name="wss-binding" value=":7443"/>`, ""},
		{"autoload_configs/switch.conf.xml", `<!-- <param name="rtp-start-port" value="16384"/> -->`, `<param name="rtp-start-port" value="` + number(c.RTP) + `"/>`},
		{"autoload_configs/switch.conf.xml", `<!-- <param name="rtp-end-port" value="32768"/> -->`, `<param name="rtp-end-port" value="` + number(c.RTPEnd) + `"/>`},
		{"autoload_configs/event_socket.conf.xml", `"listen-ip" value="::"`, `"listen-ip" value="127.0.0.1"`},
		{"autoload_configs/event_socket.conf.xml", `value="8021"`, `value="` + number(c.ESL) + `"`},
		{"autoload_configs/event_socket.conf.xml", `value="ClueCon"`, `value="` + Password + `"`},
		include("public"), include("default"),
		// what an administrator switches on who has a call center; the sample has its queue
		{"autoload_configs/modules.conf.xml", `<!--<load module="mod_callcenter"/>-->`, `<load module="mod_callcenter"/>`},
	}
}

// vanillaNumbers is the file with the outside numbers that an administrator puts into
// dialplan/public, as the sample's 00_inbound_did.xml says; force_transfer_context is
// as README.md in freeswitch-conf says.
const vanillaNumbers = `<include>
  <extension name="lab_numbers">
    <condition field="destination_number" expression="^\+44207946(\d{4})$">
      <action application="set" data="domain_name=$${domain}"/>
      <action application="set" data="force_transfer_context=default"/>
      <action application="transfer" data="$1 XML default"/>
    </condition>
  </extension>
</include>
`

// vanillaExtensions is the file with extensions of their own that an administrator puts
// into dialplan/default: the sample's call center queue, and a ring group that dials
// the addresses at which its members are registered.
const vanillaExtensions = `<include>
  <extension name="lab_call_center">
    <condition field="destination_number" expression="^` + VanillaCallCenter + `$">
      <action application="answer"/>
      <action application="callcenter" data="` + VanillaQueue + `"/>
    </condition>
  </extension>
  <extension name="lab_ring_group">
    <condition field="destination_number" expression="^` + VanillaContacts + `$">
      <action application="bridge" data="${sofia_contact(internal/1017@$${domain})},${sofia_contact(internal/1018@$${domain})}"/>
    </condition>
  </extension>
</include>
`

// What vanillaExtensions adds to the sample dialplan, and the queue of the sample's
// callcenter.conf.xml.
const (
	VanillaCallCenter = "7101"
	VanillaContacts   = "7102" // 1017 and 1018
	VanillaQueue      = "support@default"
)

// copyVanilla copies the sample configuration, changes it, and puts Tapedeck's dialplan
// files into it.
func (c switchConfig) copyVanilla(conf string, lab Config, ports map[string]int, websocket int) error {
	for _, dir := range folders {
		if err := os.MkdirAll(filepath.Join(c.Base, dir), 0o755); err != nil {
			return fmt.Errorf("lab: configure %s: %w", c.Name, err)
		}
	}
	to := filepath.Join(c.Base, "conf")
	if err := copyTree(conf, to); err != nil {
		return fmt.Errorf("lab: copy the sample configuration: %w", err)
	}
	if err := copyTree(filepath.Join(lab.ConfDir, "dialplan", "tapedeck"), filepath.Join(to, "dialplan", "tapedeck")); err != nil {
		return fmt.Errorf("lab: install freeswitch-conf: %w", err)
	}
	edits := c.vanillaEdits(ports, websocket)
	for _, name := range []string{"public.xml", "default.xml"} {
		edits = append(edits, edit{"dialplan/tapedeck/" + name, "127.0.0.1:8084 full", lab.Socket + " full"})
	}
	for _, e := range edits {
		if err := e.apply(to); err != nil {
			return err
		}
	}
	for _, name := range []string{"internal-ipv6.xml", "external-ipv6.xml"} { // they listen on the host's other address
		if err := os.Remove(filepath.Join(to, "sip_profiles", name)); err != nil {
			return fmt.Errorf("lab: configure %s: %w", c.Name, err)
		}
	}
	if err := writeSounds(filepath.Join(c.Base, "sounds")); err != nil {
		return err
	}
	for context, text := range map[string]string{"public": vanillaNumbers, "default": vanillaExtensions} {
		if err := os.WriteFile(filepath.Join(to, "dialplan", context, "10_lab.xml"), []byte(text), 0o644); err != nil {
			return fmt.Errorf("lab: configure %s: %w", c.Name, err)
		}
	}
	return nil
}

// writeSounds writes tones in place of FreeSWITCH's sounds, which are packages of their
// own: the music on hold, and what the voicemail says (at once, but for a second before
// its beep). Without these the voicemail hangs up.
func writeSounds(dir string) error {
	seconds := map[string]int{"music/8000/hold.wav": 10, voices + "voicemail/8000/vm-record_message.wav": 1}
	for _, name := range []string{"person", "not_available", "goodbye"} {
		seconds[voices+"voicemail/8000/vm-"+name+".wav"] = 0
	}
	for digit := range 10 {
		seconds[fmt.Sprintf(voices+"digits/8000/%d.wav", digit)] = 0
	}
	for name, long := range seconds {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("lab: write a tone: %w", err)
		}
		if err := writeTone(path, App, long); err != nil {
			return err
		}
	}
	return nil
}

const voices = "en/us/callie/" // below sounds

func (e edit) apply(conf string) error {
	path := filepath.Join(conf, e.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("lab: edit the sample configuration: %w", err)
	}
	if strings.Count(string(text), e.from) != 1 {
		return fmt.Errorf("lab: edit the sample configuration: %s does not say %s once", e.file, strconv.Quote(e.from))
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), e.from, e.to, 1)), 0o644); err != nil {
		return fmt.Errorf("lab: edit the sample configuration: %w", err)
	}
	return nil
}

// copyTree copies the files of a folder. It is not os.CopyFS: that copies modes, and
// the sample configuration may be readable to its owner only.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rest), 0o755)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rest), text, 0o644)
	})
}

// writeTone writes seconds of a tone as a WAV file: 16 bit, one channel, 8 kHz.
func writeTone(path string, t Tone, seconds int) error {
	const rate = 8000
	size := uint32(2 * rate * seconds)
	out := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, 36+size)...)
	out = append(out, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"...)
	out = binary.LittleEndian.AppendUint32(out, rate)
	out = binary.LittleEndian.AppendUint32(out, 2*rate)
	out = append(out, "\x02\x00\x10\x00data"...)
	out = binary.LittleEndian.AppendUint32(out, size)
	for i := range rate * seconds {
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(6000*math.Sin(2*math.Pi*float64(t)*float64(i)/rate))))
	}
	if err := os.WriteFile(path, out, 0o644); err != nil {
		return fmt.Errorf("lab: write a tone: %w", err)
	}
	return nil
}
