// Package edit changes what a configuration file declares, and leaves every
// other byte of it as it is: comments, order, blank lines, quotes, indentation.
//
// It takes the text of a YAML or CUE file and [Change]s, and gives the new text.
// Parsers say where things stand; the edit itself is of bytes. The new text is
// parsed again, and given out only when it says what the old one said plus the
// change; all else is an [Error], which names the place that a person has to
// edit by hand.
//
// It knows trees of maps, lists and scalars, and none of Stet's options. It is
// pure, opens no file and evaluates nothing: that a key may come from elsewhere,
// or that a value is not allowed there, who has the whole configuration must
// check. Who reads and writes the files may import it.
package edit
