package esltest

import "strconv"

// ChangeCodec is a re-INVITE of the phone of leg c that agrees on another codec, with so
// many samples in a second and so many channels (switch_core_media.c,
// switch_core_media_set_codec). Unlike FreeSWITCH, recordings go on unharmed.
func (c *Channel) ChangeCodec(rate, channels int) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	c.vars.set("rtp_use_codec_channels", strconv.Itoa(channels))
	c.codecRate = strconv.Itoa(rate)
	c.fire("CODEC")
}
