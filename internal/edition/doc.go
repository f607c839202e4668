// Package edition edits the configuration of a repository.
//
// It takes changes of options, or what drift found on a machine, and makes them in
// the files where the machine is declared. The edited configuration is evaluated
// beside the repository, and has to say what it shall; only then is there anything
// to write. Files are written each whole or not at all.
package edition
