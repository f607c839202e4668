// Package option holds what can be declared, as data: a tree of options with
// their types, defaults, examples and words, made from the schema's comments.
//
// It takes the tree that config makes and gives searches in it, a page for
// people and a JSON Schema for editors. It knows no CUE, no option by name, and
// never what a machine declares. Only config makes trees; cli shows them.
package option
