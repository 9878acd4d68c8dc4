package api

// What the tests of this package look at besides what the package exports.
const MaxJSON = maxJSON

type (
	AuditView = auditView
	CallsView = callsView
)
