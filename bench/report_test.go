package main

import "testing"

func TestNumbersSayWhatTheyKnow(t *testing.T) {
	for _, n := range []struct {
		value float64
		unit  string
		want  string
	}{
		{81, "", "81"}, {1.5, "", "1.50"}, {0.0139, "", "0.0139"}, {0.0125, "", "0.0125"}, {0.01, "", "0.01"}, {0.0139, "s", "0.014 s"}, {0, "", "0.00"}, {0.1, "s", "0.10 s"}, {0.3281, "", "0.328"}, {0.7, "", "0.70"},
		{33.149, "s", "33.15 s"}, {270.4, "s", "270 s"}, {0.02, "s", "0.02 s"}, {110526, "", "110526"},
	} {
		if got := number(n.value, n.unit); got != n.want {
			t.Errorf("%v %s is written %q, not %q", n.value, n.unit, got, n.want)
		}
	}
}
