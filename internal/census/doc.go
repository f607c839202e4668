// Package census counts who needs what of a store: what is kept, and how many
// bytes each keeps alone.
//
// It takes a store and claims, which name systems and single objects, and
// follows them. It reads manifests and trees and never an object.
//
// It must never delete, and never decide who is kept. gc and cli may import it.
package census
