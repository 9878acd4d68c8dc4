package storetest

// Hostile are ids that would be dangerous in a key if they stood there as they are.
var Hostile = []string{
	"acme", "Acme", "a", "b", "policy", "calls", "call", "a}:call:{b", "a}", "{a", "{", "}", "{}", "}{", ":", "a:b", "a:b:c",
	"a b", "a  b", " ", "a\nb", "a\r\nDEL x\r\n", "a\x00b", "%", "a%7Bb", "a{b", "ä", "☎", "a/b", "../a", "*", "a*", "?", "[a]", "\\", "'", `"`,
}
