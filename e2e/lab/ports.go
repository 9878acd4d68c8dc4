package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
)

// FreePorts chooses from these ports. They are below the media's, and below the range
// from which the kernel gives ports to connections: a connection could take one
// before it is used.
const lowPort, highPort = 10240, 16384

// given are the ports and blocks that this process has been given. Several labs run at
// the same time, and some of their ports are used long after they were chosen.
var given = struct {
	sync.Mutex
	ports  map[int]bool
	blocks int
}{ports: map[int]bool{}}

// FreePorts returns n ports of 127.0.0.1 that are free for TCP and UDP, and that it has
// not returned before. Another program may take one before it is used; that is rare,
// and fails at once.
func FreePorts(n int) ([]int, error) {
	given.Lock()
	defer given.Unlock()
	var open []interface{ Close() error }
	defer func() {
		for _, o := range open {
			o.Close()
		}
	}()
	var ports []int
	for tries := 0; len(ports) < n; tries++ {
		if tries > 100*n {
			return nil, fmt.Errorf("lab: %d free ports between %d and %d: not found", n, lowPort, highPort)
		}
		port := lowPort + rand.IntN(highPort-lowPort)
		if given.ports[port] {
			continue
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		tcp, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		open = append(open, tcp)
		udp, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		open = append(open, udp)
		ports = append(ports, port)
		given.ports[port] = true
	}
	return ports, nil
}

// rtpBlock is how many UDP ports one switch gets for media.
const rtpBlock = 600

// freeRTP returns the first of rtpBlock UDP ports for each of two switches, that
// nobody uses, below the range from which the kernel gives ports away. The next call
// returns others.
func freeRTP() (one, two int, err error) {
	const low, high = 16384, 32000
	blocks := (high - low) / (2 * rtpBlock)
	given.Lock()
	defer given.Unlock()
	for range blocks {
		first := low + (os.Getpid()+given.blocks)%blocks*2*rtpBlock
		given.blocks++
		if udpFree(first, 2*rtpBlock) {
			return first, first + rtpBlock, nil
		}
	}
	return 0, 0, fmt.Errorf("lab: no %d free UDP ports in a row between %d and %d", 2*rtpBlock, low, high)
}

func udpFree(first, n int) bool {
	for port := first; port < first+n; port += 2 {
		c, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		c.Close()
	}
	return true
}
