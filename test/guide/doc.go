// Package guide holds the pages that people read to the truth: files that they
// show are written, commands are run, and what these print is compared with what
// the page says, here or by a test that is named here.
//
// A code block below a line that is nothing but a file's name in backquotes and a
// colon is that file. In what a command prints, "…" stands for anything on its
// line, and alone on a line for any lines. Only tests of these pages are here;
// nobody imports it.
package guide
