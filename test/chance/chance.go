// Package chance is what tests leave to it: how often something is tried, and
// which of many cases.
//
// The environment decides both. ROUNDS says how much is tried, and STET_SEED draws
// the same again; each test prints them. Only test/ imports it.
package chance

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
)

// Rounds is how many random moments, or cases, a test tries: ROUNDS, or otherwise a
// number of its own.
func Rounds(t testing.TB, otherwise int) int {
	t.Helper()
	n := otherwise
	if text := os.Getenv("ROUNDS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			t.Fatalf("ROUNDS=%q is no number of rounds", text)
		}
	}
	t.Logf("ROUNDS=%d", n)
	return n
}

// Dice are those of a test: STET_SEED draws the same again.
func Dice(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("STET_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("STET_SEED: %v", err)
		}
	}
	t.Logf("STET_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// Some picks n of all, or all when there are no more, in their order.
func Some[T any](dice *rand.Rand, all []T, n int) []T {
	picked := dice.Perm(len(all))[:min(n, len(all))]
	slices.Sort(picked)
	out := make([]T, len(picked))
	for i, at := range picked {
		out[i] = all[at]
	}
	return out
}
