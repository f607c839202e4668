// Package server boots examples/server-large, a server with everything, and
// holds its services to what a person expects of them over reboots. It takes
// longer than a change should wait, so that only `make test-long` runs it
// (build tag long).
package server
