package esltest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tapedeck/esl/esltest"
)

// A call that is recorded from its answer on. The Manual clock makes it take no time.
func Example() {
	dir, _ := os.MkdirTemp("", "esltest")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "call.wav")

	sw := esltest.New(esltest.Options{Clock: esltest.Manual})
	defer sw.Close()
	a := sw.Incoming(esltest.Leg{Number: "+442079460123", Destination: "2000", ToneHz: 440})
	a.Set("execute_on_answer", "record_session "+path+" {RECORD_STEREO=true}") // a controller would do this over a.Socket
	b := a.Dial(esltest.Leg{Profile: "internal", Destination: "1001", ToneHz: 880})
	b.Answer()
	sw.Talk(2 * time.Second)
	a.Hangup("NORMAL_CLEARING")

	heard, err := esltest.Listen(path, 100*time.Millisecond, 440, 880)
	fmt.Println(heard, err)
	// Output: [0s-2s 440|880] <nil>
}
