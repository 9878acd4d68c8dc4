package sound

import "encoding/binary"

// The Info frame is the first of an MP3 of constant bit rate. Decoders that know it
// play exactly the samples that the encoder was given; others play a frame of
// silence. What follows its table is LAME's extension (Mp3 Info Tag rev 1,
// gabriel.mp3-tech.org/mp3infotag.html); players look for the encoder's name.
const (
	infoFlags   = 1 | 2 | 4 | 8 // frames, bytes, table, quality
	infoEncoder = "LAMEshine"
	infoCBR     = 1
	maxBitRate  = 255 // kbit/s
)

// sideInfoBytes is how much of a frame lies between its header and its sound.
func (m MP3) sideInfoBytes() int {
	if m.wav.Channels == 1 {
		return 17
	}
	return 32
}

// infoFrame returns the Info frame of an MP3 whose other frames have a checksum.
// The smallest frame has 192 bytes, of which 177 are used.
func (m MP3) infoFrame(sum uint16) []byte {
	frame := make([]byte, m.frameBytes())
	header := m.frameHeader()
	copy(frame, header[:])
	total := uint32(int64(len(frame)) + m.frames*int64(m.frameBytes()))
	at := 4 + m.sideInfoBytes()
	tag := frame[at:at:len(frame)]
	tag = append(tag, "Info"...)
	tag = binary.BigEndian.AppendUint32(tag, infoFlags)
	tag = binary.BigEndian.AppendUint32(tag, uint32(m.frames))
	tag = binary.BigEndian.AppendUint32(tag, total)
	for i := range 100 { // where each percent of the time begins, in 256ths of the bytes
		tag = append(tag, byte(i*256/100))
	}
	tag = binary.BigEndian.AppendUint32(tag, 0) // quality: not given
	tag = append(tag, infoEncoder...)
	tag = append(tag, infoCBR, byte(mp3Rate/2/100)) // and the low pass, in 100 Hz
	tag = append(tag, make([]byte, 4+2+2+1)...)     // no peak, no gain, no flags
	tag = append(tag, byte(min(m.bitRate/1000, maxBitRate)))
	pads := uint32(encoderDelay)<<12 | uint32(m.padding())
	tag = append(tag, byte(pads>>16), byte(pads>>8), byte(pads))
	tag = append(tag, 0, 0, 0, 0) // miscellaneous, gain, preset
	tag = binary.BigEndian.AppendUint32(tag, total)
	tag = binary.BigEndian.AppendUint16(tag, sum)
	binary.BigEndian.AppendUint16(tag, crc16(0, frame[:at+len(tag)]))
	return frame
}

var crcTable = func() (table [256]uint16) {
	const polynomial = 0xa001 // 0x8005, the low bit first
	for i := range table {
		v := uint16(i)
		for range 8 {
			v = v>>1 ^ v&1*polynomial
		}
		table[i] = v
	}
	return table
}()

// crc16 continues a CRC-16/ARC checksum.
func crc16(sum uint16, data []byte) uint16 {
	for _, b := range data {
		sum = sum>>8 ^ crcTable[byte(sum)^b]
	}
	return sum
}
