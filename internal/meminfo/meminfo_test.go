package meminfo

import "testing"

func TestMemoryAvailable(t *testing.T) {
	got, err := available("MemTotal:       24683520 kB\nMemFree:         2000000 kB\nMemAvailable:    2097152 kB\n")
	if err != nil || got != 2<<30 {
		t.Errorf("got %d bytes, %v", got, err)
	}
	if _, err := available("MemTotal: 1 kB\n"); err == nil {
		t.Error("a table without it was taken")
	}
	if now, err := Available(); err != nil || now == 0 {
		t.Errorf("this host has %d bytes, %v", now, err)
	}
}
