// Package e2e makes real calls through a real FreeSWITCH and listens to what
// Tapedeck had it record. `make e2e` runs it: it needs a FreeSWITCH 1.10.12 (lab.FindFreeSWITCH
// says where it is looked for), ports of 127.0.0.1 and nothing else. With TAPEDECK_E2E_KEEP=1
// the logs, configuration and recordings stay, as they do after a failure.
package e2e
