// Package adopt says how a configuration has to change so that it declares what
// drift found on a machine.
//
// It takes findings, what the repository declares now, and what is there, and
// gives changes of options, files of the repository, and what cannot be adopted,
// with the reason. It edits nothing itself: package edit makes the changes, and
// whoever has both sees whether the configuration then says what the machine is.
package adopt
