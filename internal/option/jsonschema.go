package option

import (
	"encoding/json"
	"slices"
)

// node is a JSON Schema (draft 7), as far as options need it.
type node struct {
	Schema      string           `json:"$schema,omitempty"`
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	Type        any              `json:"type,omitempty"` // a name or a list of names
	Enum        []string         `json:"enum,omitempty"`
	Default     json.RawMessage  `json:"default,omitempty"`
	Examples    []string         `json:"examples,omitempty"`
	Required    []string         `json:"required,omitempty"`
	Properties  map[string]*node `json:"properties,omitempty"`
	Additional  any              `json:"additionalProperties,omitempty"` // a node, or false
	Items       *node            `json:"items,omitempty"`
	AnyOf       []*node          `json:"anyOf,omitempty"`
}

// JSONSchema is a schema of stet.yaml for editors: names to complete, text to
// show, and what is certainly wrong. What it lets pass, `stet check` checks.
func JSONSchema(root *Option) ([]byte, error) {
	n := root.node()
	n.Schema, n.Title = "http://json-schema.org/draft-07/schema#", "stet.yaml"
	return json.MarshalIndent(n, "", "  ")
}

func (o *Option) node() *node {
	n := &node{Description: o.Doc, Default: o.Default}
	if n.Description == "" && o.Kind == Scalar {
		n.Description = o.Type
	}
	switch o.Kind {
	case Block:
		n.object(o)
	case Map:
		n.Type, n.Additional = "object", o.Member.node()
	case Set:
		// The names that a list may have, and the members that a struct has.
		item := &node{AnyOf: []*node{{Type: "string"}, {Type: "object"}}}
		members := &node{Description: o.Doc}
		members.object(o)
		n.AnyOf = []*node{{Description: o.Doc, Type: "array", Items: item}, members}
		for _, inner := range o.Options {
			item.AnyOf[0].Enum = append(item.AnyOf[0].Enum, inner.Name)
		}
	case List:
		n.Type, n.Items = "array", o.Member.node()
	case Scalar:
		switch len(o.Types) {
		case 0:
		case 1:
			n.Type = o.Types[0]
		default:
			n.Type = o.Types
		}
		n.Enum = o.Choices
		if o.Example != "" && slices.Equal(o.Types, []string{"string"}) && len(o.Choices) == 0 {
			n.Examples = []string{o.Example}
		}
	}
	return n
}

// object makes a node of a block's options, or of a set's or map's members.
func (n *node) object(o *Option) {
	n.Type, n.Properties, n.Additional = "object", map[string]*node{}, false
	if o.Member != nil {
		n.Additional = o.Member.node()
	}
	for _, inner := range o.Options {
		n.Properties[inner.Name] = inner.node()
		if inner.Required {
			n.Required = append(n.Required, inner.Name)
		}
	}
	slices.Sort(n.Required)
}
