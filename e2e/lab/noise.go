package lab

import (
	"slices"
	"sync"
	"time"
)

// Noise records when this machine was too busy to run what was due. What a test
// measures then may be late, or lack packets, by as much.
type Noise struct {
	mu   sync.Mutex
	at   []time.Time
	long []time.Duration
	stop chan struct{}
	done sync.WaitGroup
}

// WatchNoise records until Stop.
func WatchNoise() *Noise {
	n := &Noise{stop: make(chan struct{})}
	n.done.Go(n.watch)
	return n
}

func (n *Noise) watch() {
	const every = 5 * time.Millisecond
	tick := time.NewTimer(every)
	for {
		began := time.Now()
		select {
		case <-tick.C:
		case <-n.stop:
			return
		}
		if late := time.Since(began) - every; late > every {
			n.mu.Lock()
			n.at, n.long = append(n.at, began), append(n.long, late)
			n.mu.Unlock()
		}
		tick.Reset(every)
	}
}

// Stop ends the recording. What was recorded stays.
func (n *Noise) Stop() {
	close(n.stop)
	n.done.Wait()
}

// Longest is the longest stall.
func (n *Noise) Longest() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Max(append(n.long, 0))
}

// LongestBetween is the longest stall in a period.
func (n *Noise) LongestBetween(from, to time.Time) time.Duration {
	return slices.Max(append(n.between(from, to), 0))
}

// Between is the sum of the stalls in a period.
func (n *Noise) Between(from, to time.Time) (sum time.Duration) {
	for _, stall := range n.between(from, to) {
		sum += stall
	}
	return sum
}

// between is the stalls that overlap a period.
func (n *Noise) between(from, to time.Time) (stalls []time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, at := range n.at {
		if at.Before(to) && at.Add(n.long[i]).After(from) {
			stalls = append(stalls, n.long[i])
		}
	}
	return stalls
}
