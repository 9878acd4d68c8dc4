package esltest

import (
	"context"
	"maps"
)

// Office is a small company on a Switch. Its dialplan first connects every call to a
// controller's outbound socket, as freeswitch-conf does. It makes calls for tests
// and demonstrations; the caller's code says what happens next.
type Office struct {
	Switch  *Switch
	Socket  string         // address of the controller
	Domain  string         // SIP domain of the phones
	Phones  map[string]int // by extension: the tone that its user is heard as, in Hz
	Outside string         // number of the outside party
	ToneHz  int            // the tone that the outside party is heard as
}

// Inbound is a call from the outside party to a number.
func (o *Office) Inbound(ctx context.Context, number string) (*Channel, error) {
	leg := o.Switch.Incoming(Leg{Number: o.Outside, Destination: number, ToneHz: o.ToneHz})
	_, err := leg.Socket(ctx, o.Socket)
	return leg, err
}

// From is a call that a phone makes, with additional channel variables.
func (o *Office) From(ctx context.Context, extension, number string, variables map[string]string) (*Channel, error) {
	vars := map[string]string{"user_name": extension, "domain_name": o.Domain}
	maps.Copy(vars, variables)
	leg := o.Switch.Incoming(Leg{Profile: "internal", Number: extension, Destination: number, ToneHz: o.Phones[extension], Variables: vars})
	_, err := leg.Socket(ctx, o.Socket)
	return leg, err
}

// Enter connects the leg to the controller again, as the dialplan does after a
// transfer (element is "") and where the call reaches an element.
func (o *Office) Enter(ctx context.Context, leg *Channel, element string) error {
	if element != "" {
		leg.Set("tapedeck_element", element)
	}
	_, err := leg.Socket(ctx, o.Socket)
	return err
}

// Ring dials a phone.
func (o *Office) Ring(leg *Channel, extension string) *Channel {
	return leg.Dial(Leg{Profile: "internal", Destination: extension, ToneHz: o.Phones[extension],
		Variables: map[string]string{"dialed_user": extension, "dialed_domain": o.Domain}})
}

// Out dials the outside party.
func (o *Office) Out(leg *Channel) *Channel {
	return leg.Dial(Leg{Destination: o.Outside, ToneHz: o.ToneHz})
}
