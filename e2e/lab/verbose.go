package lab

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
)

// VerboseCall is a call over TCP whose INVITE has more lines in its header than a phone
// writes. It has no sound.
type VerboseCall struct {
	conn net.Conn
	Leg  string // the UUID of its channel on the switch under test
}

// CallWithHeaders calls a number, with these lines in the header of the INVITE, and waits
// until the call is answered.
func (l *Lab) CallWithHeaders(ctx context.Context, from, number, lines string) (*VerboseCall, error) {
	id, err := l.Phones.API(ctx, "create_uuid", "")
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", l.ports[from]))
	if err != nil {
		return nil, fmt.Errorf("lab: call with headers: %w", err)
	}
	v := &VerboseCall{conn: conn}
	if v.Leg, err = l.answered(ctx, conn, id, invite(conn.LocalAddr(), id, number, lines)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("lab: call with headers: %w", err)
	}
	return v, nil
}

// answered sends an INVITE, waits for its 200 and returns the leg.
func (l *Lab) answered(ctx context.Context, conn net.Conn, callID, text string) (leg string, err error) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err := conn.Write([]byte(text)); err != nil {
		return "", err
	}
	for r := bufio.NewReader(conn); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(line, "SIP/2.0 200") {
			return l.legOf(ctx, callID)
		}
	}
}

// invite is the text of an INVITE.
func invite(from net.Addr, callID, number, lines string) string {
	const sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
	return fmt.Sprintf("INVITE sip:%s@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bK%s;rport\r\nFrom: <sip:+441632960999@127.0.0.1>;tag=a\r\n"+
		"To: <sip:%s@127.0.0.1>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\nContact: <sip:x@%s;transport=tcp>\r\nMax-Forwards: 70\r\n%s"+
		"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", number, from, callID, number, callID, from, lines, len(sdp), sdp)
}

// HangUp ends the call.
func (v *VerboseCall) HangUp(ctx context.Context, l *Lab) error {
	defer v.conn.Close()
	_, err := l.Switch.API(ctx, "uuid_kill", v.Leg)
	return err
}
