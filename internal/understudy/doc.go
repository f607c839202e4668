// Package understudy does what certain programs of Debian do when maintainer
// scripts call them, without their interpreters: starting perl or a shell takes
// longer than all that most of these calls have to do.
//
// It takes one call, carries it out on the root that it runs in, and gives the
// exit status; or it declines, having changed nothing, and the packaged program
// has to do it. It declines whatever is not of the plain form that packages use:
// what it does carry out must leave the same bytes as the packaged program, and
// a small domain is one that a test can go through.
//
// Only cmd/stet-understudy imports it, which is in a root while scripts run.
package understudy
