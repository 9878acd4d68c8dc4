package flow

import (
	"encoding/json"
	"fmt"
)

// Setting is what an element says about recording a call.
type Setting uint8

// The five settings. DontCare, the default, leaves the state as it is.
const (
	DontCare Setting = iota
	Yes
	No
	Force
	Never
	settings // how many there are
)

var settingNames = [settings]string{"dont-care", "yes", "no", "force", "never"}

// String is the setting's name in the policy file.
func (s Setting) String() string {
	if s >= settings {
		return fmt.Sprintf("Setting(%d)", uint8(s))
	}
	return settingNames[s]
}

// ParseSetting reads a setting's name.
func ParseSetting(text string) (Setting, error) {
	for s, name := range settingNames {
		if text == name {
			return Setting(s), nil
		}
	}
	return 0, fmt.Errorf("unknown setting %q: use yes, no, dont-care, force or never", text)
}

// MarshalText writes the setting's name.
func (s Setting) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the setting's name.
func (s *Setting) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSetting(string(b))
	return err
}

// Settings is an element's setting in each direction, indexed by Direction.
type Settings [directions]Setting

// SettingSet is a set of settings, one bit each.
type SettingSet uint8

// Add puts s into the set.
func (set *SettingSet) Add(s Setting) { *set |= 1 << s }

// Has reports whether s is in the set.
func (set SettingSet) Has(s Setting) bool { return set&(1<<s) != 0 }

// Settings lists the set's members in the order of their constants.
func (set SettingSet) Settings() []Setting {
	list := []Setting{}
	for s := range settings {
		if set.Has(s) {
			list = append(list, s)
		}
	}
	return list
}

// SettingSets is a set of settings in each direction, indexed by Direction.
type SettingSets [directions]SettingSet

// MarshalJSON writes {"inbound":"yes",…}, every direction.
func (s Settings) MarshalJSON() ([]byte, error) { return marshalDirections(s) }

// UnmarshalJSON reads what MarshalJSON writes. A direction that is absent is dont-care.
func (s *Settings) UnmarshalJSON(b []byte) error {
	return unmarshalDirections(b, (*[directions]Setting)(s))
}

// MarshalJSON writes {"inbound":["dont-care","yes"],…}, every direction.
func (s SettingSets) MarshalJSON() ([]byte, error) { return marshalDirections(s) }

// UnmarshalJSON reads what MarshalJSON writes. A direction that is absent is empty.
func (s *SettingSets) UnmarshalJSON(b []byte) error {
	return unmarshalDirections(b, (*[directions]SettingSet)(s))
}

// MarshalJSON writes the names of the set's members.
func (set SettingSet) MarshalJSON() ([]byte, error) { return json.Marshal(set.Settings()) }

// UnmarshalJSON reads a list of names.
func (set *SettingSet) UnmarshalJSON(b []byte) error {
	var list []Setting
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*set = 0
	for _, s := range list {
		set.Add(s)
	}
	return nil
}

func marshalDirections[T any](values [directions]T) ([]byte, error) {
	return json.Marshal(struct {
		Inbound  T `json:"inbound"`
		Outbound T `json:"outbound"`
		Internal T `json:"internal"`
	}{values[Inbound], values[Outbound], values[Internal]})
}

func unmarshalDirections[T any](b []byte, values *[directions]T) error {
	var named map[Direction]T
	if err := json.Unmarshal(b, &named); err != nil {
		return fmt.Errorf("by direction: %w", err)
	}
	*values = [directions]T{}
	for d, v := range named {
		values[d] = v
	}
	return nil
}
