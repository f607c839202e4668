//go:build long

package solve

// randomSets is how many drawn sets are held against apt.
const randomSets = 200

const longRun = true
