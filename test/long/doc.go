// Package long has the tests that take too long for every change; `make
// test-long` runs them (build tag long).
package long
