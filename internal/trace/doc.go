// Package trace writes when the steps of a build were, for programs that draw
// it: Perfetto, and the tracing page of Chrome.
//
// It takes the spans that somebody else measured and gives JSON. It knows no
// clock and no file; only cli imports it.
package trace
