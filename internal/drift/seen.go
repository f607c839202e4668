package drift

import (
	"net/netip"
	"time"

	"stet/internal/plan"
)

// Seen is what was seen of a machine. The facts are those of a plan that leads to
// the system that runs.
type Seen struct {
	Facts *plan.Facts

	// Changed is when what differs in /etc, and unit files in /run, were changed
	// last, by path; what nobody knows is missing.
	Changed map[string]time.Time

	// Passwd and Group are /etc/passwd and /etc/group; fields that are a user's own
	// to choose are as declared.
	Passwd, Group string
	Passwords     []string // users whose password is another than declared, and is not theirs to choose

	// Variables are the values of kernel variables that the system sets, by name,
	// as /proc/sys has them; one that this kernel does not know is missing.
	Variables   map[string]string
	CommandLine string // of the kernel

	Mounts    []Mounted // of the machine, those on top last
	Sockets   []Socket
	Placed    []Placed
	Schedules []Schedule
	Links     []Link
	Modules   []LoadedModule
	Firmware  map[string]string // variables that choose a boot entry, by name
	ESP       []ESPFile         // nothing: the machine is started without one
}

// Mounted is one mount.
type Mounted struct {
	Point, Type, Source string
	Root                string // what of its file system is mounted
	Options             string // of the mount itself, separated by commas
}

// Socket is a place at which the machine can be reached: programs listen there, or
// take what comes to a port of UDP.
type Socket struct {
	Protocol string // "tcp" or "udp"
	Address  netip.Addr
	Port     uint16
	Holders  []Process // none: the kernel has it itself
}

// Process is who holds a socket.
type Process struct {
	PID            int
	Name           string // as the kernel calls it
	User           string
	Program        string // path of its file
	Packaged       bool   // the file is from the usr tree of a system
	Unit, UserUnit string // of the system's manager, and of the user's that Unit is
	Since          time.Time
}

// Placed is something in /usr/local or /opt that no system put there, with all
// below it.
type Placed struct {
	Path    string
	Type    string // as a tree calls it, or "other"
	Target  string // of a link
	User    string
	Files   int // in a directory
	More    bool
	Instead bool // a system has something else there
	Changed time.Time
}

// Schedule is a table of cron(8), or a job of at(1).
type Schedule struct {
	Path    string
	User    string
	Entries int       // of a table
	Job     int       // its number; 0 of a table
	Due     time.Time // of a job
	Changed time.Time
}

// Link is a link of Stet's in the state that is not what it should be.
type Link struct {
	Path, Target string
	Type         string // of what is there; "" when nothing is
	To           string // where another link leads
	Changed      time.Time
}

// LoadedModule is a module of the kernel that says of itself that it is not of
// the kernel's own sources, or not signed.
type LoadedModule struct {
	Name     string
	Taint    string // letters of proc_modules(5)
	Packaged bool   // the kernel's tree of modules has it
}

// ESPFile is a file, or a directory that is not Stet's, below EFI and loader on
// the ESP.
type ESPFile struct {
	Path    string  // from the root of the ESP
	Known   bool    // Stet puts it there
	Text    *string // what is in it; nil: it is not there, or was not read
	Want    *string // what Stet wrote there; nil: nobody knows
	Changed time.Time
}
