package flow

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Limits of what Normalise looks at. A SIP URI's user part holds the number;
// the longest E.164 number has 15 digits (ITU-T E.164, 6.2.1), and 40 leaves
// room for an international prefix and for every separator.
const (
	maxAddress = 512
	maxNumber  = 40
	maxE164    = len("+") + 15
)

// Normalise reads a telephone number with the policy's region; see the function
// Normalise.
func (p *Policy) Normalise(raw string) (e164 string, ok bool) { return Normalise(p.Region, raw) }

// Normalise reads a telephone number as people and carriers write it and returns its
// E.164 form, +442079460001. The number may have spaces and separators, the
// international prefix or the country code alone, or be a sip: or tel: address. Its
// national form is read if region, an ISO 3166 code, is given.
//
// A number counts if its length is possible in its country. Its range need not be in
// use: ranges reserved for drama, and those opened after this program was built, are
// numbers, too.
func Normalise(region, raw string) (e164 string, ok bool) {
	text, ok := cleanNumber(raw)
	if !ok || (region == "" && text[0] != '+') {
		return "", false
	}
	e164, ok = parseNumber(region, text)
	if !ok || e164 == text {
		return e164, ok
	}
	// Several zeros in a row can be read as several trunk prefixes. A number whose
	// form changes when it is read again would be found in one form and not in the
	// other.
	if again, _ := parseNumber("", e164); again != e164 {
		return "", false
	}
	return e164, true
}

func parseNumber(region, text string) (e164 string, ok bool) {
	n, err := phonenumbers.Parse(text, region)
	if err != nil || phonenumbers.IsPossibleNumberWithReason(n) != phonenumbers.IS_POSSIBLE {
		return "", false
	}
	e164 = phonenumbers.Format(n, phonenumbers.E164)
	if len(e164) > maxE164 {
		return "", false
	}
	return e164, true
}

// cleanNumber returns the number of an address without its separators: digits, perhaps
// after a +.
func cleanNumber(raw string) (string, bool) {
	if len(raw) > maxAddress {
		return "", false
	}
	text := userPart(strings.TrimSpace(raw))
	if len(text) > maxNumber {
		return "", false
	}
	clean := make([]byte, 0, maxNumber)
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9', c == '+' && len(clean) == 0:
			clean = append(clean, c)
		case strings.IndexByte(" -./()", c) < 0:
			return "", false
		}
	}
	if len(clean) == 0 || string(clean) == "+" {
		return "", false
	}
	return string(clean), true
}

// userPart is the part of an address before its parameters and its host. A local tel:
// address is completed by its phone-context (RFC 3966, section 5.1.5).
func userPart(address string) string {
	scheme, rest, found := strings.Cut(address, ":")
	isTel := found && strings.EqualFold(scheme, "tel")
	if isTel || found && (strings.EqualFold(scheme, "sip") || strings.EqualFold(scheme, "sips")) {
		address = rest
	}
	address, _, _ = strings.Cut(address, "@")
	number, params, _ := strings.Cut(address, ";")
	if escaped, ok := strings.CutPrefix(number, "%2"); ok && escaped != "" && (escaped[0] == 'B' || escaped[0] == 'b') {
		number = "+" + escaped[1:]
	}
	if !isTel || strings.HasPrefix(number, "+") {
		return number
	}
	for param := range strings.SplitSeq(params, ";") {
		if context, ok := strings.CutPrefix(param, "phone-context=+"); ok {
			return "+" + context + number
		}
	}
	return number
}

// knownRegion reports whether region is an ISO 3166 code with a numbering plan.
func knownRegion(region string) bool { return phonenumbers.GetSupportedRegions()[region] }

// warm makes the library compile the region's patterns now. Otherwise it would do so
// at first use, which is some 0.5 ms of the first call's decision.
func warm(region string) {
	if region == "" {
		region = "GB"
	}
	if n := phonenumbers.GetExampleNumber(region); n != nil {
		Normalise(region, phonenumbers.Format(n, phonenumbers.NATIONAL))
		Normalise(region, phonenumbers.Format(n, phonenumbers.E164))
	}
}
