package lab

import "testing"

// TestPortsOnce: two labs at the same time get ports of their own, although nobody
// listens on them yet.
func TestPortsOnce(t *testing.T) {
	seen := map[int]bool{}
	for range 20 {
		ports, err := FreePorts(60)
		if err != nil {
			t.Fatal(err)
		}
		for _, port := range ports {
			if seen[port] {
				t.Fatalf("%d is given twice", port)
			}
			seen[port] = true
		}
	}
	for range 4 {
		one, two, err := freeRTP()
		if err != nil {
			t.Fatal(err)
		}
		for _, first := range []int{one, two} {
			if seen[first] {
				t.Fatalf("the media ports from %d on are given twice", first)
			}
			seen[first] = true
		}
	}
}
