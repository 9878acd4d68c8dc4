package store

import (
	"tapedeck/store/calls"
	"tapedeck/store/index"
)

// The types of the subjects, until their code has followed them.
type (
	Call      = calls.Call
	State     = calls.State
	Cause     = calls.Cause
	Recording = index.Recording
	Query     = index.Query
	Cursor    = index.Cursor
)

const (
	Off          = calls.Off
	On           = calls.On
	Paused       = calls.Paused
	callVersion  = calls.Version
	DefaultLimit = index.DefaultLimit
)

var ErrUnknown = index.ErrUnknown
