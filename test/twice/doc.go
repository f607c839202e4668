// Package twice provokes `stet build --twice` with packages whose scripts do
// what a build must not depend on, and holds it to what it says of them; and
// builds the large examples twice (build tag long).
package twice
