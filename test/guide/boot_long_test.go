//go:build long

package guide_test

import "testing"

// TestTheTutorialEndsInABootedMachine follows all of docs/tutorial.md, virtual
// machines included.
func TestTheTutorialEndsInABootedMachine(t *testing.T) {
	follow(t, whole(page(t, "docs/tutorial.md")))
}
