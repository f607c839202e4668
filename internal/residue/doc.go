// Package residue says what becomes of the files that maintainer scripts
// leave behind, path by path. The knowledge is a table, data with a reason in
// every row; the code only reads it.
//
// It takes a path and gives the rule for it. It is pure and everybody may
// import it; rootfs and system carry the rules out. The format and the
// classes are described in docs/formats/residue.md. Beside it is a table of what
// software does by design on a machine that runs, and is no drift.
package residue
