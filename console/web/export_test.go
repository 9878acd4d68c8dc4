package web

// What the tests of this package look at besides what the package exports.
const (
	PageRows    = pageRows
	HistoryRows = historyRows
)

var (
	PageAddress      = pageAddress
	AuditWords       = auditWords
	PausedMS         = pausedMS
	RecordingAddress = recordingAddress
)
