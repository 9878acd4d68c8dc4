package esltest

import (
	"strings"
)

// source is the place in FreeSWITCH's sources that fires an event. Every event has
// it, and nothing should rely on it.
type source struct{ file, function, line string }

var sources = map[string]source{
	"CHANNEL_DATA":            {"mod_event_socket.c", "parse_command", "2021"},
	"CHANNEL_CREATE":          {"switch_core_state_machine.c", "switch_core_session_run", "626"},
	"CHANNEL_ANSWER":          {"switch_channel.c", "switch_channel_perform_mark_answered", "3849"},
	"CHANNEL_PROGRESS":        {"switch_channel.c", "switch_channel_perform_mark_ring_ready_value", "3505"},
	"CHANNEL_PROGRESS_MEDIA":  {"switch_channel.c", "switch_channel_perform_mark_pre_answered", "3561"},
	"CHANNEL_BRIDGE":          {"switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", "1689"},
	"CHANNEL_UNBRIDGE":        {"switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", "1879"},
	"CHANNEL_HANGUP":          {"switch_channel.c", "switch_channel_perform_hangup", "3468"},
	"CHANNEL_HANGUP_COMPLETE": {"switch_core_state_machine.c", "switch_core_session_reporting_state", "943"},
	"CHANNEL_DESTROY":         {"switch_core_session.c", "switch_core_session_perform_destroy", "1590"},
	"CHANNEL_PARK":            {"switch_ivr.c", "switch_ivr_park", "1002"},
	"CHANNEL_UNPARK":          {"switch_ivr.c", "switch_ivr_park", "1109"},
	"CHANNEL_HOLD":            {"switch_channel.c", "switch_channel_mark_hold", "5180"},
	"CHANNEL_UNHOLD":          {"switch_channel.c", "switch_channel_mark_hold", "5180"},
	"RECORD_START":            {"switch_ivr_async.c", "record_callback", "1481"},
	"RECORD_STOP":             {"switch_ivr_async.c", "send_record_stop_event", "1240"},
	"CODEC":                   {"switch_core_codec.c", "switch_core_session_set_real_read_codec", "168"},
	"DTMF":                    {"switch_channel.c", "switch_channel_dequeue_dtmf", "677"},
}

// eventNames are the names that `event plain` accepts (switch_event.c,
// EVENT_NAMES). It ignores other words.
var eventNames = func() map[string]bool {
	names := map[string]bool{}
	for _, n := range strings.Fields(`CUSTOM CLONE CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE
		CHANNEL_ANSWER CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD
		CHANNEL_UNHOLD CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING
		CHANNEL_PARK CHANNEL_UNPARK CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID API LOG INBOUND_CHAN
		OUTBOUND_CHAN STARTUP SHUTDOWN PUBLISH UNPUBLISH TALK NOTALK SESSION_CRASH MODULE_LOAD MODULE_UNLOAD DTMF
		MESSAGE PRESENCE_IN NOTIFY_IN PRESENCE_OUT PRESENCE_PROBE MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC
		BACKGROUND_JOB DETECTED_SPEECH DETECTED_TONE PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE
		EXE_SCHEDULE RE_SCHEDULE RELOADXML NOTIFY PHONE_FEATURE PHONE_FEATURE_SUBSCRIBE SEND_MESSAGE RECV_MESSAGE
		REQUEST_PARAMS CHANNEL_DATA GENERAL COMMAND SESSION_HEARTBEAT CLIENT_DISCONNECTED SERVER_DISCONNECTED
		SEND_INFO RECV_INFO RECV_RTCP_MESSAGE SEND_RTCP_MESSAGE CALL_SECURE NAT RECORD_START RECORD_STOP
		PLAYBACK_START PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA MEDIA_BUG_START MEDIA_BUG_STOP
		CONFERENCE_DATA_QUERY CONFERENCE_DATA CALL_SETUP_REQ CALL_SETUP_RESULT CALL_DETAIL DEVICE_STATE TEXT
		SHUTDOWN_REQUESTED ALL`) {
		names[n] = true
	}
	return names
}()
