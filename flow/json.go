package flow

import (
	"encoding/json"
	"fmt"
)

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
