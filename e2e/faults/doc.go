// Package faults plays calls on a simulated FreeSWITCH while real Tapedeck
// processes and a real Redis are killed, stopped, cut off and filled up under
// them, and then listens to every file. It is tests alone.
package faults
