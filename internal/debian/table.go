package debian

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ReadTable reads a table of Stet's own: stanzas with comments between them, the first
// of which has the Format. Each of the others is given to add. Errors begin with the
// name of the table, and say the line.
func ReadTable(name, format string, text []byte, add func(Stanza) error) error {
	scanner := NewScanner(bytes.NewReader(text))
	scanner.Comments = true
	head, err := scanner.Next()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if v := head.Get("Format"); v != format {
		return fmt.Errorf("%s: format %q; this Stet reads %s: use a newer Stet", name, v, format)
	}
	for {
		stanza, err := scanner.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := add(stanza); err != nil {
			return fmt.Errorf("%s: line %d: %w", name, stanza.Line, err)
		}
	}
}
