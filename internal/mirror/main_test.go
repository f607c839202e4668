package mirror_test

import "time"

// now is when all of it happens.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
