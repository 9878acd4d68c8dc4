// Package edit changes single values of a policy's text and leaves every other byte as it
// is: comments, order, quotes and anchors.
package edit

import (
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// Change sets one value of a policy file, or removes one key.
type Change struct {
	Path  []string   // the keys from the top of the file, as they are written there
	Value *yaml.Node // what the key has afterwards; nil: the key is removed
}

// ErrByHand says that the file is written in a way in which this package cannot make a
// change without touching more than was asked for.
var ErrByHand = errors.New("change it in the file")

// byHand says what is in the way, and where.
func byHand(n *yaml.Node, what string) error {
	return fmt.Errorf("line %d: %s: %w", n.Line, what, ErrByHand)
}

// Apply makes the changes, one after the other, and returns the new text. A change that
// says what the file says already touches nothing, and so does the removal of a key that is
// not there. Mappings that are missing on the way to a key are made. If one change cannot be
// made, none is.
func Apply(text []byte, changes []Change) ([]byte, error) {
	for len(changes) > 0 {
		n, next, err := pass(text, changes)
		if err != nil {
			return nil, err
		}
		text, changes = next, changes[n:]
	}
	return text, nil
}

// pass makes as many of the changes as can be found in the text as it is now, at least one,
// and says how many. It reads what it has written: nothing else may have changed.
func pass(text []byte, changes []Change) (n int, after []byte, err error) {
	p, err := open("the policy", text)
	if err != nil {
		return 0, nil, err
	}
	for ; n < len(changes) && (n == 0 || p.independent(changes[n].Path)); n++ {
		ready, err := p.change(changes[n], n == 0)
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", strings.Join(changes[n].Path, " / "), err)
		}
		if !ready {
			break
		}
	}
	after = p.spliced()
	now, err := open("the policy", after)
	if err == nil && !meant(p.top, now.top, wanted(changes[:n])) {
		err = ErrByHand
	}
	if err != nil {
		return 0, nil, fmt.Errorf("%s: the file is written in a way that was not expected: %w", strings.Join(changes[0].Path, " / "), err)
	}
	return n, after, nil
}
