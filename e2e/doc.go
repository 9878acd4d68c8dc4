// Package e2e makes real calls through a real FreeSWITCH and listens to what
// Tapedeck had it record. `make e2e` runs it: it needs a FreeSWITCH 1.10.12 (lab.FindFreeSWITCH
// says where it is looked for) and ports of 127.0.0.1. TestCalls is what goes well, TestFaults what
// breaks: for some of that it needs redis-server, or root's right to mount a small disk, and says
// what it skips without them. With TAPEDECK_E2E_KEEP=1 the logs, configuration and recordings stay,
// as they do after a failure; with TAPEDECK_E2E_LONG=1 Redis is away for a minute.
package e2e
