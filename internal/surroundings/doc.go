// Package surroundings is what of a host a build could notice, and a way to
// start a program in as different ones as a single host can have: environment,
// locale, time zone, host name, number of CPUs, network, umask.
//
// It takes a command and changes how it starts ([Run]); in the started
// program, [Enter] does what only a process itself can do. It says what it
// changed and what it could not, in words for people. It knows nothing of what
// the program does; cli asks it. It never changes anything of the host.
package surroundings
