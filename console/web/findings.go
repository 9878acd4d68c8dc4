package web

import (
	"tapedeck/console/ops"
	"tapedeck/recording"
)

// findingWords says, in words, what Verify can find.
var findingWords = map[string]string{
	recording.Changed:     "The checksum is another one than when it was recorded.",
	recording.Truncated:   "The file is shorter than it was.",
	recording.Swapped:     "What is written beside the file is another recording's.",
	recording.NoSound:     "The file is not there.",
	recording.NoSidecar:   "Nothing is written beside the file.",
	recording.BadSidecar:  "What is written beside the file cannot be read.",
	recording.BadSound:    "The file cannot be read.",
	recording.BadSpans:    "The pauses in the file are not where they were written down.",
	recording.BadDuration: "The file's length is not the one that was written down.",
}

func checkViewOf(found ops.Verdict) *checkView {
	view := &checkView{Sound: found.OK, Live: found.Live}
	for _, f := range found.Findings {
		words, ok := findingWords[f.What]
		if !ok {
			words = sentence(f.What)
		}
		if f.Detail != "" {
			words += " (" + f.Detail + ")"
		}
		view.Findings = append(view.Findings, words)
	}
	return view
}
