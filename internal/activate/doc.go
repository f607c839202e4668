// Package activate carries out plans: it makes the system that a plan leads to
// the running one, or leaves the machine as it was.
//
// It takes a plan, the two systems' images, and a [Machine], and does what the
// plan says in the order that docs/formats/plan.md gives, nothing else: trees are
// mounted beside the old ones, units stopped, trees replaced without a moment in
// which there are none, and managers and units told. When a step fails, or what
// runs is found unhealthy, it goes back by itself. A record in /run/stet says how
// far it is; the next command undoes what an ended process left half-done. After
// a power cut there is nothing to undo: the boot entry comes last, and is not
// its matter. A [Carrier] is the process in which all that happens, which outlives
// whoever asked for it.
//
// It must never decide what is done to which unit, or change a plan. cli and
// drift may import it.
package activate
