package vm

import "testing"

func TestRoomForVMs(t *testing.T) {
	for name, c := range map[string]struct{ available, memory, processors, want int }{
		"memory decides":          {hostReserve + 3*(1024+overhead) + 100, 1024, 16, 3},
		"processors decide":       {64 << 10, 1024, 2, 2},
		"large guests":            {24 << 10, 8192, 16, 2},
		"one in any case":         {100, 1024, 4, 1},
		"one on a small host":     {hostReserve, 512, 1, 1},
		"nothing in the reserve":  {hostReserve + 1024 + overhead - 1, 1024, 4, 1},
		"exactly as much as fits": {hostReserve + 2*(1024+overhead), 1024, 4, 2},
	} {
		if got := fit(c.available, c.memory, c.processors); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
