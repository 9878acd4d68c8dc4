package esltest

// The longest event queue of a connection, and how many events may be lost when it
// is full before the connection is cut (mod_event_socket.c, MAX_QUEUE_LEN,
// MAX_MISSED).
const (
	maxQueue  = 100000
	maxMissed = 500
)

// push queues an event. A connection that reads too slowly is cut.
func (l *listener) push(e *event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if len(l.queue) < maxQueue {
		l.queue, l.missed = append(l.queue, e), 0
		l.wake.Broadcast()
		return
	}
	if l.missed++; l.missed > maxMissed {
		l.closed = true
		l.conn.Close()
		l.wake.Broadcast()
	}
}

// pump writes queued events until the connection is closed.
func (l *listener) pump() {
	for {
		l.mu.Lock()
		for !l.closed && (len(l.queue) == 0 || l.busy) {
			l.wake.Wait()
		}
		if l.closed {
			l.mu.Unlock()
			return
		}
		e := l.queue[0]
		l.queue = l.queue[1:]
		l.writing = true
		l.mu.Unlock()
		l.sw.thaw()
		err := l.send(e.frame())
		l.mu.Lock()
		l.writing = false
		l.wake.Broadcast()
		l.mu.Unlock()
		if err != nil {
			l.close()
			return
		}
	}
}

// drained waits until every queued event is written.
func (l *listener) drained() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && (l.writing || len(l.queue) > 0) {
		l.wake.Wait()
	}
}

func (l *listener) setBusy(busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = busy
	l.wake.Broadcast()
}
