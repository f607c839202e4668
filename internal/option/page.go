package option

import (
	"fmt"
	"io"
	"strings"
)

// Page writes all options as a page of Markdown: a section for each block of
// the first level, and for each service.
func Page(w io.Writer, root *Option) error {
	var b strings.Builder
	b.WriteString(`# Options

Everything that can be declared. ` + "`stet options WORD`" + ` searches this page, and says
where a machine sets what it finds; it knows the modules of your repository too.
This page is made from the schema's comments: ` + "`make pages`" + `.

NAME and PATH stand for names of your own. A set may be written as a list in
YAML, ` + "`[a, b]`" + `, and as a struct everywhere, ` + "`{a: {}, b: {}}`" + `.
`)
	var plain []Path
	for _, o := range root.Options {
		if o.Kind == Scalar {
			plain = append(plain, Path{o})
		}
	}
	b.WriteString("\n## The machine\n\n")
	for _, p := range plain {
		b.WriteString(p.item())
	}
	for _, o := range root.Options {
		switch {
		case o.Kind == Scalar:
		case o.isServices():
			fmt.Fprintf(&b, "\n## %s\n\n%s\n", o.Name, o.Doc)
			for _, service := range o.Options {
				section(&b, "### ", Path{o, service})
			}
		default:
			section(&b, "## ", Path{o})
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// isServices says whether an option is a block of nothing but blocks.
func (o *Option) isServices() bool {
	for _, inner := range o.Options {
		if inner.Kind == Scalar || inner.Kind == Set || inner.Kind == List {
			return false
		}
	}
	return o.Kind == Block && len(o.Options) > 0
}

func section(b *strings.Builder, mark string, p Path) {
	o := p.Last()
	fmt.Fprintf(b, "\n%s%s\n\n", mark, p)
	if o.Doc != "" {
		b.WriteString(o.Doc + "\n\n")
	}
	if o.Kind != Block {
		fmt.Fprintf(b, "Type: %s.\n\n", o.Type)
	}
	if example := p.Snippet(); example != "" {
		fmt.Fprintf(b, "    %s\n\n", example)
	}
	var items strings.Builder
	for _, below := range All(o) {
		items.WriteString(append(p[:len(p):len(p)], below...).item())
	}
	if items.Len() > 0 {
		b.WriteString(items.String())
	}
	trimmed := strings.TrimRight(b.String(), "\n") + "\n"
	b.Reset()
	b.WriteString(trimmed)
}

// item is an option as an item of a list.
func (p Path) item() string {
	o := p.Last()
	text := fmt.Sprintf("- **`%s`** (%s", p, o.Type)
	if o.Required {
		text += "; must be given"
	}
	if value := o.Value(); value != "" {
		text += fmt.Sprintf("; default `%s`", value)
	}
	text += ")"
	if o.Doc != "" {
		text += ": " + o.Doc
	}
	if example := p.Snippet(); example != "" {
		text += fmt.Sprintf("\n  `%s`", example)
	}
	return text + "\n"
}
