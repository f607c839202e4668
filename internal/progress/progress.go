// Package progress is how long work says how far it is. A room that works
// takes a [Func] and calls it; only cli, through term, decides what a person
// sees of it. Everybody may import it; it imports nothing.
package progress

// Event is the state of one stage of the work.
type Event struct {
	Stage  string // a verb phrase people read: "fetch packages"
	Detail string // what is being worked on right now; may be empty
	Done   int64
	Total  int64 // zero while unknown
	Bytes  bool  // Done and Total count bytes, not things
}

// Func receives events, possibly from several goroutines at once. A nil Func
// is allowed; use [Func.Report].
type Func func(Event)

// Report passes e on when there is somebody to listen.
func (f Func) Report(e Event) {
	if f != nil {
		f(e)
	}
}
