package demo

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"tapedeck/esl/esltest"
)

// steadyLines place calls as long as the demo runs, each line one after the other.
var steadyLines = []struct {
	outside, number, element, phone string // element may be empty
	press                           bool   // the phone pauses and resumes the recording
}{
	{"+447700900111", "+442079460001", "ring_group/sales", "1001", true},
	{"+447700900222", "+442079460004", "", "1003", true},
	{"+447700900333", "+442079460003", "", "1004", false},
}

// mostCalls bounds how many calls are placed: a minute of a call takes 2 MB.
const mostCalls = 300

// comeAndGo places calls until there were most of them or ctx ends.
func (s *stage) comeAndGo(ctx context.Context, stdout io.Writer, most int) {
	var lines sync.WaitGroup
	var mu sync.Mutex // of stdout
	left := most
	next := func() bool {
		mu.Lock()
		defer mu.Unlock()
		left--
		return left >= 0 && ctx.Err() == nil
	}
	for _, l := range steadyLines {
		office := *s.office
		office.Outside = l.outside
		lines.Go(func() {
			for next() && pass(ctx, 1, 6) {
				result := liveCall(ctx, &office, l.number, l.element, l.phone, l.press)
				mu.Lock()
				fmt.Fprintf(stdout, "%s  %s\n", time.Now().Format(time.TimeOnly), result)
				mu.Unlock()
			}
		})
	}
	lines.Wait()
	if ctx.Err() == nil {
		fmt.Fprintf(stdout, "%d calls were placed; start the demo again for more.\n", most)
	}
}

// liveCall places a call and returns what happened in it.
func liveCall(ctx context.Context, office *esltest.Office, number, element, phone string, press bool) string {
	first, err := office.Inbound(ctx, number)
	defer first.Hangup("")
	if err == nil && element != "" {
		err = office.Enter(ctx, first, element)
	}
	if err != nil {
		return fmt.Sprintf("%s to %s: %v", office.Outside, number, err)
	}
	rings := office.Ring(first, phone)
	if !pass(ctx, 2, 4) {
		return fmt.Sprintf("%s to %s: rang", office.Outside, number)
	}
	rings.Answer()
	began, pauses := time.Now(), 0
	for range 1 + rand.IntN(3) {
		if !pass(ctx, 5, 15) || !press {
			break
		}
		rings.PressDigits("*1")
		pauses++
		if !pass(ctx, 4, 10) {
			break
		}
		rings.PressDigits("*1")
	}
	pass(ctx, 3, 15)
	return fmt.Sprintf("%s to %s, answered by %s: %.0f s, *1 pressed %d times", office.Outside, number, phone, time.Since(began).Seconds(), 2*pauses)
}

// pass waits between least and most seconds, and reports false if ctx ended meanwhile.
func pass(ctx context.Context, least, most int) bool {
	t := time.NewTimer(time.Duration(least)*time.Second + rand.N(time.Duration(most-least)*time.Second))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
