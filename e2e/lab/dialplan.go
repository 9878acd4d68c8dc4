package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// What the switch under test does with a call to the k-th number of an organisation
// (Org.Number). The users' context is as README.md in freeswitch-conf says: extensions
// ring users, everything else goes to the carrier. `**` and a leg's UUID picks that leg
// up, `*0` eavesdrops on it, `*3` joins it as a third party (three_way), Org.Slot is a place where a call can be parked.
const (
	ToRoom       = 0 // the organisation's conference room (Org.Room)
	ToAlice      = 1 // transferred to alice's extension in the users' context
	ToGroupAlice = 2 // ring group "team", alice's phone rings
	ToGroup      = 3 // ring group "team", alice's and bob's phones ring at once
	ToMenu       = 4 // application "welcome" speaks for a second, application "reception" too, then ToGroupAlice
	ToDesk       = 5 // application "desk" answers and speaks until the caller hangs up
	Direct       = 6 // alice's phone rings, in the context where the call arrived
	ToOperator   = 7 // transferred to 5000 of the sample dialplan in the users' context
	ToDave       = 8 // transferred to dave's extension in the users' context
	DirectDave   = 9 // dave's phone rings, in the context where the call arrived

	ToSequence    = 10 // ring group "team", alice's phone rings for a second, then bob's
	ToFollowMe    = 11 // alice's phone rings, and after a second her mobile (OutsideNumber 2), which has to press 1
	ToForward     = 12 // forwarded to OutsideNumber 2 through the carrier
	ToForwardBare = 13 // forwarded to OutsideNumber 2 by its address alone, without a gateway
	ToStranger    = 14 // the phone Stranger rings, which is in the users' domain and no user's
	LastNumber    = ToStranger
)

var routes = template.Must(template.New("routes").Parse(`{{range .Orgs}}{{$o := .}}
<extension name="{{.ID}}-room"><condition field="destination_number" expression="{{.Dialled 0}}">
  <action application="answer"/>
  <action application="conference" data="{{.ID}}@default"/>
</condition></extension>
<extension name="{{.ID}}-alice"><condition field="destination_number" expression="{{.Dialled 1}}">
  <action application="set" data="force_transfer_context=default"/>
  <action application="transfer" data="{{.Extension 1}} XML default"/>
</condition></extension>
<extension name="{{.ID}}-group-alice"><condition field="destination_number" expression="{{.Dialled 2}}">
  <action application="set" data="tapedeck_element=ring_group/team"/>
  <action application="socket" data="{{$.Socket}} full"/>
  <action application="bridge" data="user/{{.Extension 1}}@{{.Domain}}"/>
</condition></extension>
<extension name="{{.ID}}-group"><condition field="destination_number" expression="{{.Dialled 3}}">
  <action application="set" data="tapedeck_element=ring_group/team"/>
  <action application="socket" data="{{$.Socket}} full"/>
  <action application="bridge" data="user/{{.Extension 1}}@{{.Domain}},user/{{.Extension 2}}@{{.Domain}}"/>
</condition></extension>
<extension name="{{.ID}}-menu"><condition field="destination_number" expression="{{.Dialled 4}}">
  <action application="set" data="tapedeck_element=application/welcome"/>
  <action application="socket" data="{{$.Socket}} full"/>
  <action application="answer"/>
  <action application="playback" data="tone_stream://%(1000,0,{{$.App}})"/>
  <action application="set" data="tapedeck_element=application/reception"/>
  <action application="socket" data="{{$.Socket}} full"/>
  <action application="playback" data="tone_stream://%(1000,0,{{$.App}})"/>
  <action application="set" data="tapedeck_element=ring_group/team"/>
  <action application="socket" data="{{$.Socket}} full"/>
  <action application="bridge" data="user/{{.Extension 1}}@{{.Domain}}"/>
</condition></extension>
<extension name="{{.ID}}-desk"><condition field="destination_number" expression="{{.Dialled 5}}">
  <action application="set" data="tapedeck_element=application/desk"/>
  <action application="socket" data="{{$.Socket}} full"/>
  <action application="answer"/>
  <action application="playback" data="tone_stream://%(1000,0,{{$.App}});loops=-1"/>
</condition></extension>
<extension name="{{.ID}}-direct"><condition field="destination_number" expression="{{.Dialled 6}}">
  <action application="bridge" data="user/{{.Extension 1}}@{{.Domain}}"/>
</condition></extension>
<extension name="{{.ID}}-operator"><condition field="destination_number" expression="{{.Dialled 7}}">
  <action application="transfer" data="5000 XML default"/>
</condition></extension>
<extension name="{{.ID}}-dave"><condition field="destination_number" expression="{{.Dialled 8}}">
  <action application="set" data="force_transfer_context=default"/>
  <action application="transfer" data="{{.Extension 4}} XML default"/>
</condition></extension>
<extension name="{{.ID}}-direct-dave"><condition field="destination_number" expression="{{.Dialled 9}}">
  <action application="bridge" data="user/{{.Extension 4}}@{{.Domain}}"/>
</condition></extension>
<extension name="{{.ID}}-sequence"><condition field="destination_number" expression="{{.Dialled 10}}">
  <action application="set" data="tapedeck_element=ring_group/team"/>
  <action application="socket" data="{{$.Socket}} full"/>
  <action application="bridge" data="[leg_timeout=1]user/{{.Extension 1}}@{{.Domain}}|user/{{.Extension 2}}@{{.Domain}}"/>
</condition></extension>
<extension name="{{.ID}}-follow-me"><condition field="destination_number" expression="{{.Dialled 11}}">
  <action application="bridge" data="{ignore_early_media=true}[leg_timeout=20]user/{{.Extension 1}}@{{.Domain}},[leg_delay_start=1,leg_timeout=20,group_confirm_key=1,group_confirm_file=tone_stream://%(300\\,300\\,{{$.App}})]sofia/gateway/carrier/{{.OutsideNumber 2}}"/>
</condition></extension>
<extension name="{{.ID}}-forward"><condition field="destination_number" expression="{{.Dialled 12}}">
  <action application="bridge" data="sofia/gateway/carrier/{{.OutsideNumber 2}}"/>
</condition></extension>
<extension name="{{.ID}}-forward-bare"><condition field="destination_number" expression="{{.Dialled 13}}">
  <action application="bridge" data="sofia/external/{{.OutsideNumber 2}}@127.0.0.1:{{$.Phones}}"/>
</condition></extension>
<extension name="{{.ID}}-stranger"><condition field="destination_number" expression="{{.Dialled 14}}">
  <action application="bridge" data="[presence_id={{.Stranger}}@{{.Domain}}]sofia/internal/{{.Stranger}}@127.0.0.1:{{$.Phones}}"/>
</condition></extension>
{{end}}<extension name="unknown"><condition field="destination_number" expression="^(\+?\d+)$">
  <action application="bridge" data="sofia/external/$1@127.0.0.1:{{.Phones}}"/>
</condition></extension>
`))

// Dialled is the pattern of the k-th number, in every form that a carrier sends.
func (o Org) Dialled(k int) string { return `^(?:\+44|0044|44|0)` + o.national(k) + `$` }

// Queue is where a user transfers a call to that shall wait in the organisation's queue
// (mod_fifo, as the vanilla 5900). Agent is what a user dials to talk to whoever waits
// longest there.
func (o Org) Queue() string { return fmt.Sprintf("8%02d0", int(o)) }
func (o Org) Agent() string { return fmt.Sprintf("8%02d1", int(o)) }

const users = `<extension name="queue"><condition field="destination_number" expression="^8(\d{2,3})0$">
  <action application="set" data="fifo_music=tone_stream://%(1000,0,350);loops=-1"/>
  <action application="fifo" data="s$1 in"/>
</condition></extension>
<extension name="agent"><condition field="destination_number" expression="^8(\d{2,3})1$">
  <action application="answer"/><action application="fifo" data="s$1 out nowait"/>
</condition></extension>
<extension name="pick-up"><condition field="destination_number" expression="^\*\*([-0-9a-f]+)$">
  <action application="intercept" data="$1"/>
</condition></extension>
<extension name="eavesdrop"><condition field="destination_number" expression="^\*0([-0-9a-f]+)$">
  <action application="answer"/><action application="eavesdrop" data="$1"/>
</condition></extension>
<extension name="three-way"><condition field="destination_number" expression="^\*3([-0-9a-f]+)$">
  <action application="answer"/><action application="three_way" data="$1"/>
</condition></extension>
<extension name="park"><condition field="destination_number" expression="^6\d{3,4}$">
  <action application="answer"/>
  <action application="valet_park" data="lab ${destination_number}"/>
</condition></extension>
<extension name="users"><condition field="destination_number" expression="^1(\d{2,3})\d$">
  <action application="bridge" data="user/${destination_number}@s$1.lab"/>
</condition></extension>
<extension name="rooms"><condition field="destination_number" expression="^3(\d{2,3})0$">
  <action application="answer"/>
  <action application="conference" data="s$1@default"/>
</condition></extension>
<extension name="carrier"><condition field="destination_number" expression="^(0\d+)$">
  <action application="bridge" data="sofia/gateway/carrier/$1"/>
</condition></extension>
`

// phoneDialplan is the dialplan of the telephones: ring until somebody picks up, then
// speak a tone, whatever digits come.
const phoneDialplan = `<include>
<context name="phones">
<extension name="speak"><condition field="destination_number" expression="^speak-(\d+)$">
  <action application="answer"/><action application="set" data="playback_terminators=none"/>
  <action application="playback" data="tone_stream://%(1000,0,$1);loops=-1"/>
</condition></extension>
<extension name="ring"><condition field="destination_number" expression="^.*$">
  <action application="ring_ready"/><action application="park"/>
</condition></extension>
</context>
</include>
`

// contexts are those of the switch under test, each with the file that it includes
// first.
var contexts = []struct{ name, first string }{
	{"public", "tapedeck/public.xml"},
	{"default", "tapedeck/default.xml"},
	{"strict", "tapedeck/mandatory.xml"},
	{"away", "tapedeck-away/public.xml"},
	{"strict-away", "tapedeck-away/mandatory.xml"},
}

// (FreeSWITCH's preprocessor drops every line that has <include> in it.)

// confFiles are the files in conf of the switch under test: copies of the project's
// files, with Tapedeck's address and its folder of recordings; the same with an
// address at which nobody listens; and the contexts, with the include line where
// README.md in freeswitch-conf says.
func confFiles(c Config, nobody string, phones int) (map[string]string, error) {
	files := map[string]string{}
	install := func(to, name, theirs, ours string) error {
		text, err := os.ReadFile(filepath.Join(c.ConfDir, name))
		if err != nil {
			return fmt.Errorf("lab: install freeswitch-conf: %w", err)
		}
		if !strings.Contains(string(text), theirs) {
			return fmt.Errorf("lab: install freeswitch-conf: %s does not say %s", name, theirs)
		}
		files[to] = strings.ReplaceAll(string(text), theirs, ours)
		return nil
	}
	err := install("sip_profiles/tapedeck/record-key.xml", "sip_profiles/tapedeck/record-key.xml", `"/var/spool/tapedeck/`, `"`+c.Recordings+"/")
	for folder, address := range map[string]string{"tapedeck": c.Socket, "tapedeck-away": nobody} {
		for _, name := range []string{"public.xml", "default.xml", "mandatory.xml", "elements.xml"} {
			err = cmp.Or(err, install("dialplan/"+folder+"/"+name, "dialplan/tapedeck/"+name, "127.0.0.1:8084 full", address+" full"))
		}
	}
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := routes.Execute(&b, map[string]any{"Orgs": c.Orgs, "Socket": c.Socket, "App": int(App), "Phones": phones}); err != nil {
		return nil, fmt.Errorf("lab: write the dialplan: %w", err)
	}
	for _, ctx := range contexts {
		body := b.String()
		if ctx.name == "default" {
			body = "<X-PRE-PROCESS cmd=\"include\" data=\"tapedeck/elements.xml\"/>\n" + users
		}
		files["dialplan/"+ctx.name+".xml"] = fmt.Sprintf("<include>\n<context name=\"%s\">\n<X-PRE-PROCESS cmd=\"include\" data=\"%s\"/>\n%s</context>\n</include>\n",
			ctx.name, ctx.first, body)
	}
	return files, nil
}
