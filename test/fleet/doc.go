// Package fleet tests a repository of many machines, examples/fleet: what one
// more of them takes, and that all of them build to their goldens. Nobody
// imports it.
package fleet
