package health

import (
	"bytes"
	"encoding/json"
	"fmt"

	"stet/internal/machine"
)

// File is where a system says what its health is, from its /usr.
const File = "lib/stet/health.json"

// specFormat is the version of [File] that this Stet writes and reads.
const specFormat = 1

// spec is the content of [File].
type spec struct {
	Format int `json:"format"`
	machine.Health
}

// Text is the content of [File].
func Text(h machine.Health) ([]byte, error) {
	text, err := json.MarshalIndent(spec{specFormat, h}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the health checks: %w", err)
	}
	return append(text, '\n'), nil
}

// Parse reads [File].
func Parse(text []byte) (machine.Health, error) {
	var version struct{ Format int }
	if err := json.Unmarshal(text, &version); err != nil {
		return machine.Health{}, fmt.Errorf("read the health checks: %w", err)
	}
	if version.Format != specFormat {
		return machine.Health{}, fmt.Errorf("the health checks have format %d; this Stet knows %d: use the Stet that built the system", version.Format, specFormat)
	}
	var s spec
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return machine.Health{}, fmt.Errorf("read the health checks: %w", err)
	}
	return s.Health, nil
}
