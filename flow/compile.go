package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Compile builds what the lookups need, gives the policy's precedence to its
// organisations and sets Revision. It refuses what Load refuses with a better
// message: a number or a domain in two organisations, an extension of two users, an
// entry without content. Nobody else may use the policy meanwhile.
func (p *Policy) Compile() error {
	p.numbers, p.domains = map[string]*Organisation{}, map[string]*Organisation{}
	if p.Organisations == nil {
		p.Organisations = map[string]*Organisation{}
	}
	for id, o := range p.Organisations {
		if o == nil {
			return fmt.Errorf("flow: compile: organisation %s is empty", id)
		}
		if o.ID == "" {
			o.ID = id
		}
		if o.ID != id {
			return fmt.Errorf("flow: compile: organisation %s says that it is %s", id, o.ID)
		}
		o.Precedence = p.Precedence
		if err := o.compile(); err != nil {
			return err
		}
		if err := p.index(o); err != nil {
			return err
		}
	}
	warm(p.Region)
	return p.setRevision()
}

func (p *Policy) index(o *Organisation) error {
	for e164 := range o.Numbers {
		if other := p.numbers[e164]; other != nil {
			return fmt.Errorf("flow: compile: number %s is in organisations %s and %s", e164, other.ID, o.ID)
		}
		p.numbers[e164] = o
	}
	for _, d := range o.Domains {
		host := hostOf(d)
		if other := p.domains[host]; other != nil {
			return fmt.Errorf("flow: compile: domain %s is in organisations %s and %s", host, other.ID, o.ID)
		}
		p.domains[host] = o
	}
	return nil
}

// setRevision hashes the policy's JSON, which is the same for the same content:
// encoding/json writes fields in the order of the types and sorts keys.
func (p *Policy) setRevision() error {
	p.Revision = ""
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("flow: compile: %w", err)
	}
	sum := sha256.Sum256(b)
	p.Revision = hex.EncodeToString(sum[:])
	return nil
}

// UnmarshalJSON reads a policy and compiles it.
func (p *Policy) UnmarshalJSON(b []byte) error {
	type plain Policy
	var read plain
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	*p = Policy(read)
	return p.Compile()
}

// compile builds what the organisation's lookups need.
func (o *Organisation) compile() error {
	if err := o.complete(); err != nil {
		return fmt.Errorf("flow: compile: organisation %s: %w", o.ID, err)
	}
	o.extensions = make(map[string]string, len(o.Users))
	o.ahead = SettingSets{}
	for d := range directions {
		o.ahead[d].Add(DontCare)
	}
	for id, u := range o.Users {
		for d := range directions {
			o.ahead[d].Add(u.Record[d])
		}
		if u.Extension == "" {
			continue
		}
		if other, taken := o.extensions[u.Extension]; taken {
			return fmt.Errorf("flow: compile: organisation %s: extension %s is of users %s and %s", o.ID, u.Extension, other, id)
		}
		o.extensions[u.Extension] = id
	}
	return nil
}

// complete returns an error that names an entry without content, if there is one.
func (o *Organisation) complete() error {
	for id, n := range o.Numbers {
		if n == nil {
			return fmt.Errorf("%s/%s is empty", Number, id)
		}
	}
	for id, g := range o.RingGroups {
		if g == nil {
			return fmt.Errorf("%s/%s is empty", RingGroup, id)
		}
	}
	for id, a := range o.Applications {
		if a == nil {
			return fmt.Errorf("%s/%s is empty", Application, id)
		}
	}
	for id, u := range o.Users {
		if u == nil {
			return fmt.Errorf("%s/%s is empty", User, id)
		}
	}
	return nil
}

// UnmarshalJSON reads an organisation and compiles it.
func (o *Organisation) UnmarshalJSON(b []byte) error {
	type plain Organisation
	var read plain
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	*o = Organisation(read)
	return o.compile()
}
