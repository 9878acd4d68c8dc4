package web

// What the tests need of this package besides what it exports.
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
