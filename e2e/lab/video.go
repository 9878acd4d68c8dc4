package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"time"
)

// SendPicture sends packets of a picture to an RTP port of 127.0.0.1, 25 a second, until
// the context ends. Nobody can decode what is in them.
func SendPicture(ctx context.Context, port int) error {
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("lab: send a picture: %w", err)
	}
	defer conn.Close()
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()
	packet := make([]byte, 400)
	packet[0], packet[1] = 2<<6, 1<<7|97 // version 2; the picture ends here; payload type 97
	for n := uint16(1); ; n++ {
		binary.BigEndian.PutUint16(packet[2:], n)
		binary.BigEndian.PutUint32(packet[4:], uint32(n)*3600)
		if _, err := conn.Write(packet); err != nil {
			return fmt.Errorf("lab: send a picture: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
