// Package plan says what it takes to turn a running machine from one system
// into another.
//
// It takes two systems, the contents that their trees name, and facts that an
// edge has seen on the machine, and gives a [Plan]: what changes, what is done
// to which unit and why, what goes on as before until when, and what a person
// has to decide first. It is pure: the same input gives the same plan, byte for
// byte, and nothing is asked of the machine. What cannot restart on a running
// machine, and what has to be told of which files, is data: table.txt.
//
// The format is described in docs/formats/plan.md. activate carries plans out
// unchanged, cli prints them; both may import it, and drift, whose undoing is a
// plan, too.
package plan
