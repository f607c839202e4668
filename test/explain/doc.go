// Package explain changes one thing of a machine after the other and holds
// `stet build --explain` to what it says of each; and draws a build.
package explain
