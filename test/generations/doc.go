// Package generations installs generations as a person does, on file systems of
// their own that are small, full or read-only, and goes through what a machine
// lives through with them: staging, coming up, going back, collecting, and getting
// the repository back from the disk alone.
package generations
