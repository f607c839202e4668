package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// RecordFormat is the version of the record; docs/formats/graph.md describes it.
const RecordFormat = 1

// Record is what is kept of a build to explain the next one.
type Record struct {
	Format  int               `json:"format"`
	Key     string            `json:"key"` // of the system; first, so that it can be seen without reading all
	Inputs  []Input           `json:"inputs"`
	Results map[string]string `json:"results"` // digests of what steps gave, by [Step.String]
}

// Text is the record's JSON.
func (r *Record) Text() ([]byte, error) {
	written := *r
	written.Format = RecordFormat
	text, err := json.Marshal(written)
	if err != nil {
		return nil, fmt.Errorf("write the record of a build: %w", err)
	}
	return append(text, '\n'), nil
}

// IsOf reports whether a text is the record of a build with this key, and whole.
func IsOf(text []byte, key string) bool {
	begin := fmt.Appendf(nil, `{"format":%d,"key":%q,`, RecordFormat, key)
	return bytes.HasPrefix(text, begin) && bytes.HasSuffix(text, []byte("}\n"))
}

// ParseRecord reads a record. One that it cannot read is none: nil.
func ParseRecord(text []byte) *Record {
	r := new(Record)
	if err := json.Unmarshal(text, r); err != nil || r.Format != RecordFormat || r.Key == "" {
		return nil
	}
	return r
}
