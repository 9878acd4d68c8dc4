package access

// Accounts is the accounts file, followed while it changes.
type Accounts struct{}
