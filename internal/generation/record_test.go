package generation

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/source"
	"stet/internal/verity"
)

var system = strings.Repeat("a", 64)

const golden = `{
  "format": 1,
  "number": 7,
  "system": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "date": "2026-11-25T20:00:00Z",
  "origin": "boot",
  "commit": "c0ffee",
  "commit_date": "2026-11-25T19:00:00Z",
  "subject": "serve a page",
  "dirty": false,
  "lock": "10c4",
  "stet": "0.1",
  "source_map": "0200000000000000000000000000000000000000000000000000000000000000"
}
`

func TestRecord(t *testing.T) {
	r := Record{
		Format: 1, Number: 7, System: system, Date: time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC), Origin: Boot,
		Provenance: Provenance{Commit: source.Commit{ID: "c0ffee", Date: "2026-11-25T19:00:00Z", Subject: "serve a page"}, Lock: "10c4", Stet: "0.1", SourceMap: verity.Digest{2}},
	}
	local := r
	local.Format, local.Date = 0, r.Date.In(time.FixedZone("", 3600)).Add(time.Millisecond)
	text, err := local.Text()
	if err != nil || cmp.Diff(golden, string(text)) != "" {
		t.Errorf("%v %s", err, cmp.Diff(golden, string(text)))
	}
	got, err := ParseRecord([]byte(golden))
	if err != nil || cmp.Diff(r, got) != "" {
		t.Errorf("%v %s", err, cmp.Diff(r, got))
	}
}

func TestBadRecords(t *testing.T) {
	for text, want := range map[string]string{
		"":             "unexpected end",
		`{"format":2}`: "use the Stet that made",
		strings.Replace(golden, `"lock"`, `"look"`, 1): "unknown field",
		strings.Replace(golden, "aaaa", "../a", 1):     "is none",
		strings.Replace(golden, "7", "-7", 1):          "is none",
	} {
		if _, err := ParseRecord([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(golden))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRecord(text)
		if err != nil {
			return
		}
		again, err := r.Text()
		if err != nil {
			return // a year that JSON does not have
		}
		if _, err := ParseRecord(again); err != nil {
			t.Errorf("%s is written\n%s\nwhich is not read: %v", text, again, err)
		}
	})
}
