// Package e2e makes real calls through a real FreeSWITCH and listens to what
// Tapedeck had it record. TestCalls makes calls while everything works, TestFaults
// while something breaks, TestVanilla on FreeSWITCH's own sample configuration with
// phones that nobody here wrote.
//
// `make e2e` runs every scenario. To run one, give its name with underscores for
// spaces (and a backslash before a character that is special in a pattern); it
// takes about 20 s:
//
//	TAPEDECK_E2E=1 go test -count=1 -v ./e2e -run 'TestCalls/scenario/inbound,_number_yes$'
//	TAPEDECK_E2E=1 go test -count=1 -v ./e2e -run 'TestCalls/scenario/.*\*1_of_the_outside_party'
//	TAPEDECK_E2E=1 go test -count=1 -v ./e2e -run 'TestCalls/tapedeck_stops_during_a_call'
//	TAPEDECK_E2E=1 go test -count=1 -v ./e2e -run 'TestFaults/redis_is_killed_during_calls'
//	TAPEDECK_E2E=1 go test -count=1 -v ./e2e -run 'TestVanilla/lane/1015/a_user_answers'
//
// It needs a FreeSWITCH 1.10.12 (lab.FindFreeSWITCH says where it looks for it) and
// ports of 127.0.0.1. Some scenarios need redis-server, sipp, baresip, or the right to mount
// a small disk (root has it); without that they are skipped and say so.
//
// After a failure, and with TAPEDECK_E2E_KEEP=1, the logs, the configuration and
// the recordings stay, and the test prints their folder. With TAPEDECK_E2E_LONG=1
// Redis is away for a minute.
package e2e
