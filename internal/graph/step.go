package graph

import "time"

// Stage is a kind of work.
type Stage string

// The stages of a build, in the order in which data passes them.
const (
	Import    Stage = "import"    // a package is unpacked into the store
	Base      Stage = "base"      // the base is configured
	Ahead     Stage = "ahead"     // what needs little else is configured
	Merge     Stage = "merge"     // all packages are laid over each other
	Configure Stage = "configure" // their scripts run
	Number    Stage = "number"    // users and groups get the numbers of the lock
	System    Stage = "system"    // what is declared is laid over it, and all is divided into trees
	Finish    Stage = "finish"    // a program of the root makes something of all
	Check     Stage = "check"     // a program of the root judges what is declared
	Image     Stage = "image"     // a tree becomes an image
	Initrd    Stage = "initrd"    // the initrd is made
	Disk      Stage = "disk"      // the disk of a machine is made
)

// What only a trace has: parts of stages, and what comes before them.
const (
	Evaluate Stage = "evaluate" // the configuration becomes a machine
	Script   Stage = "script"   // dpkg works on one package
)

// Step is one piece of the work of a stage.
type Step struct {
	Stage Stage
	Name  string // of what: a package, an image; empty when a stage has one step
}

// String is how a record and people call a step.
func (s Step) String() string {
	if s.Name == "" {
		return string(s.Stage)
	}
	return string(s.Stage) + " " + s.Name
}

// Outcome is what became of a step.
type Outcome struct {
	Reused bool         // nothing was done: what was made before is there
	Bytes  func() int64 // of what it gave; is asked only by who wants to know. nil: unknown
	Result string       // a digest of what it gave, where there is one
	Of     []string     // names of the packages that it had, if not all
	Note   string       // what it has to say, for people
}

// Observer is told that a step begins, and gives what is to be told when it
// ends; possibly from several goroutines at once. A nil Observer is allowed and
// costs nothing; use its methods.
type Observer func(Step) (ended func(Outcome))

// Begin says that a step begins. A step that fails never ends.
func (o Observer) Begin(s Step) (ended func(Outcome)) {
	if o == nil {
		return unheard
	}
	return o(s)
}

func unheard(Outcome) {}

// Reuse says that what a step would do is done.
func (o Observer) Reuse(s Step) {
	if o != nil {
		o(s)(Outcome{Reused: true})
	}
}

// Bytes is an amount that is known already.
func Bytes(n int64) func() int64 { return func() int64 { return n } }

// Span is a step and when it was, counted from when somebody began to listen.
type Span struct {
	Step
	Begin, End time.Duration
	Failed     bool // it began and never ended
	Reused     bool
	Bytes      int64 // 0 when unknown
	Result     string
	Of         []string
	Note       string
}
