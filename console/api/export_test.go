package api

// What the tests need of this package besides what it exports.
const MaxJSON = maxJSON

type (
	AuditView = auditView
	CallsView = callsView
)
