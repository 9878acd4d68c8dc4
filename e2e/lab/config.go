package lab

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// Password is the password of both switches' event sockets.
const Password = "lab-secret"

var modules = strings.Fields(`mod_logfile mod_event_socket mod_sofia mod_loopback mod_commands mod_dptools mod_expr
	mod_hash mod_db mod_fifo mod_dialplan_xml mod_conference mod_sndfile mod_native_file mod_tone_stream mod_local_stream mod_spandsp mod_opus mod_h26x mod_valet_parking`)

// profile is a SIP profile: one context, one port.
type profile struct {
	Name    string
	Port    int
	Context string
	Auth    bool   // phones are asked for their password
	Carrier int    // port of the gateway "carrier"; 0: none
	Keys    bool   // the phones have a Record key (record-key.xml) and lamp keys
	Late    string // what happens to an INVITE without SDP (enable-3pcc); "": it is refused
}

// user is a directory user.
type user struct {
	Extension, Domain, Shows string // Shows: the caller's number of outgoing calls
	Port                     int    // of a phone that sipp plays; 0: the phones' switch plays it
}

// switchConfig is the data of freeswitch.xml.
type switchConfig struct {
	Name, Base string
	Modules    []string
	ESL, RTP   int
	RTPEnd     int
	Password   string
	Domain     string // of the sample users, $${domain}
	Profiles   []profile
	Phones     int // SIP port of the phones' switch, for the users' dial-string
	Domains    map[string][]user
}

var freeswitchXML = template.Must(template.New("freeswitch.xml").Parse(`<document type="freeswitch/xml">
<X-PRE-PROCESS cmd="set" data="domain={{.Domain}}"/>
<section name="configuration">
  <configuration name="modules.conf"><modules>{{range .Modules}}<load module="{{.}}"/>{{end}}</modules></configuration>
  <configuration name="switch.conf"><settings>
    <param name="max-sessions" value="1000"/><param name="sessions-per-second" value="200"/><param name="loglevel" value="debug"/>
    <param name="rtp-start-port" value="{{.RTP}}"/><param name="rtp-end-port" value="{{.RTPEnd}}"/>
    <param name="switchname" value="{{.Name}}"/><param name="core-db-name" value="{{.Base}}/db/core.db"/>
  </settings></configuration>
  <configuration name="logfile.conf"><settings/><profiles><profile name="default">
    <settings><param name="logfile" value="{{.Base}}/log/freeswitch.log"/><param name="rollover" value="0"/></settings>
    <mappings><map name="all" value="debug,info,notice,warning,err,crit,alert"/></mappings>
  </profile></profiles></configuration>
  <configuration name="event_socket.conf"><settings>
    <param name="nat-map" value="false"/><param name="listen-ip" value="127.0.0.1"/>
    <param name="listen-port" value="{{.ESL}}"/><param name="password" value="{{.Password}}"/>
  </settings></configuration>
  <configuration name="conference.conf"><caller-controls><group name="default">
    <control action="mute" digits="0"/><control action="deaf mute" digits="*"/><control action="vol talk dn" digits="1"/><control action="hangup" digits="#"/>
  </group></caller-controls><profiles><profile name="default">
    <param name="domain" value="{{.Domain}}"/><param name="rate" value="8000"/><param name="interval" value="20"/><param name="energy-level" value="100"/>
  </profile></profiles></configuration>
  <configuration name="fifo.conf"><settings/><fifos/></configuration>
  <configuration name="acl.conf"><network-lists/></configuration>
  <configuration name="timezones.conf"><timezones/></configuration>
  <configuration name="sofia.conf"><global_settings/><profiles>{{range .Profiles}}
    <profile name="{{.Name}}">
      {{- if .Carrier}}<gateways><gateway name="carrier">
        <param name="username" value="lab"/><param name="password" value="lab"/><param name="proxy" value="127.0.0.1:{{.Carrier}}"/>
        <param name="register" value="false"/><param name="caller-id-in-from" value="true"/>
      </gateway></gateways>{{end}}
      <settings>
      <param name="sip-ip" value="127.0.0.1"/><param name="rtp-ip" value="127.0.0.1"/><param name="sip-port" value="{{.Port}}"/>
      <param name="context" value="{{.Context}}"/><param name="dialplan" value="XML"/>
      <param name="auth-calls" value="{{.Auth}}"/><param name="challenge-realm" value="auto_from"/><param name="accept-blind-reg" value="true"/>
      <param name="inbound-codec-prefs" value="PCMU,G722,OPUS,H264"/><param name="outbound-codec-prefs" value="PCMU"/>
      <param name="rtp-timer-name" value="soft"/><param name="dtmf-type" value="rfc2833"/><param name="liberal-dtmf" value="true"/>
      {{if .Late}}<param name="enable-3pcc" value="{{.Late}}"/>{{end}}
      {{if .Keys}}<X-PRE-PROCESS cmd="include" data="sip_profiles/tapedeck/record-key.xml"/>
      {{end}}<param name="manage-presence" value="{{.Keys}}"/><param name="disable-rtp-auto-adjust" value="true"/><param name="apply-nat-acl" value="none"/>
    </settings></profile>{{end}}
  </profiles></configuration>
</section>
<section name="dialplan">
  <X-PRE-PROCESS cmd="include" data="dialplan/*.xml"/>
</section>
<section name="directory">{{range $domain, $users := .Domains}}
  <domain name="{{$domain}}">
    <params><param name="dial-string" value="{presence_id=${dialed_user}@${dialed_domain}}sofia/internal/${dialed_user}@127.0.0.1:{{$.Phones}}"/></params>
    <groups><group name="default"><users>{{range $users}}
      <user id="{{.Extension}}"><params><param name="password" value="pw{{.Extension}}"/>
        {{- if .Port}}<param name="dial-string" value="{presence_id=${dialed_user}@${dialed_domain}}sofia/internal/${dialed_user}@127.0.0.1:{{.Port}}"/>{{end}}</params><variables>
        <variable name="user_context" value="default"/><variable name="outbound_caller_id_number" value="{{.Shows}}"/>
      </variables></user>{{end}}
    </users></group></groups>
  </domain>{{end}}
</section>
<section name="phrases"><macros/></section><section name="languages"/>
</document>
`))

var folders = []string{"conf", "log", "db", "run", "recordings", "sounds", "scripts", "storage", "cache", "temp"}

// write makes the switch's folders, its freeswitch.xml and the further files of its
// configuration (by path below conf: text).
func (c switchConfig) write(further map[string]string) error {
	for _, dir := range folders {
		if err := os.MkdirAll(filepath.Join(c.Base, dir), 0o755); err != nil {
			return fmt.Errorf("lab: configure %s: %w", c.Name, err)
		}
	}
	var b bytes.Buffer
	if err := freeswitchXML.Execute(&b, c); err != nil {
		return fmt.Errorf("lab: configure %s: %w", c.Name, err)
	}
	files := maps.Clone(further)
	files["freeswitch.xml"] = b.String()
	for name, text := range files {
		path := filepath.Join(c.Base, "conf", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("lab: configure %s: %w", c.Name, err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return fmt.Errorf("lab: configure %s: %w", c.Name, err)
		}
	}
	return nil
}

// args are FreeSWITCH's arguments.
func (c switchConfig) args(binary string) []string {
	args := []string{"-nf", "-nc", "-nonat", "-nocal"}
	for _, dir := range folders {
		args = append(args, "-"+dir, filepath.Join(c.Base, dir))
	}
	return append(args, moduleArgs(binary)...)
}
