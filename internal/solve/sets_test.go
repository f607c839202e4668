//go:build !long

package solve

// randomSets is how many drawn sets are held against apt.
const randomSets = 12

const longRun = false
