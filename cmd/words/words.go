// Package words writes numbers for people.
package words

import "fmt"

// Count is "1 recording" or "2 recordings".
func Count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// Size is a number of bytes, to a tenth of a kB, MB or GB (powers of 1000).
func Size(bytes int64) string {
	switch b := float64(bytes); {
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", b/1e9)
	case bytes >= 1e6:
		return fmt.Sprintf("%.1f MB", b/1e6)
	case bytes >= 1e3:
		return fmt.Sprintf("%.1f kB", b/1e3)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// Position is a place in a file in minutes and seconds, to the millisecond.
func Position(ms int64) string { return fmt.Sprintf("%d:%02d.%03d", ms/60_000, ms/1000%60, ms%1000) }
