package cli

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// printYAML writes a value as YAML with the names and the order of its JSON
// form, so that what people read and what programs read is one vocabulary.
func (a *app) printYAML(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil { // JSON is YAML
		return fmt.Errorf("write the report: %w", err)
	}
	block(&document)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err = a.Stdout.Write(out.Bytes())
	return err
}

// block takes JSON's flow style and quotes away.
func block(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && bytes.Contains([]byte(n.Value), []byte("\n")) {
		n.Style = yaml.LiteralStyle
	}
	for _, child := range n.Content {
		block(child)
	}
}
