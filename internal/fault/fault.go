package fault

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Point is a moment, named "room: what was just done".
type Point string

// The points, in the order in which an operation reaches them.
const (
	// Storing (internal/store).
	ObjectWritten   Point = "store: an object has its name"
	StoreSynced     Point = "store: everything written is on the disk"
	SystemPublished Point = "store: a manifest has its name"

	// A live switch (internal/activate).
	TreesStaged   Point = "switch: the new trees are mounted beside the old"
	UnitsStopped  Point = "switch: units are stopped"
	EtcCarried    Point = "switch: the new /etc has what persists"
	UsrReplaced   Point = "switch: /usr is the new one"
	EtcReplaced   Point = "switch: /etc is the new one"
	VarApplied    Point = "switch: /var has what the system puts there"
	TreesReplaced Point = "switch: all trees are the new ones"
	TasksDone     Point = "switch: the plan's commands are run"
	ManagersTold  Point = "switch: managers have read their units"
	UnitsStarted  Point = "switch: units are reloaded, restarted and started"
	SwitchHealthy Point = "switch: all is found well"
	SwitchDone    Point = "switch: the new system is the one that runs"

	// A new generation (internal/generation).
	GenerationPrepared Point = "generation: a record is written under its hidden name"
	GenerationRecorded Point = "generation: a record has its name"
	GenerationMarked   Point = "generation: a mark is set or taken away"

	// Its boot entry (internal/boot).
	KernelPlaced Point = "boot: the kernel is on the ESP"
	InitrdPlaced Point = "boot: the initrd is on the ESP"
	EntryHidden  Point = "boot: the entry is on the ESP under its hidden name"
	EntryPlaced  Point = "boot: the entry has its name"
	EntryBlessed Point = "boot: the entry has lost its counter"
	EntryRemoved Point = "boot: an entry is gone"
	BlobRemoved  Point = "boot: a kernel or initrd is gone"

	// Collecting (internal/gc, with generation and store).
	RecordRemoved Point = "gc: a record is gone"
	ObjectRemoved Point = "gc: an object is gone"
	UpperRemoved  Point = "gc: a saved upper of /etc is gone"
	AgedRemoved   Point = "gc: a build, memo, package or disk is gone for its age"

	// Making an image (internal/disk).
	StageFilled   Point = "disk: the content of the file system is gathered"
	ImageWritten  Point = "disk: the image is written under its hidden name"
	ImageNamed    Point = "disk: the image has its name"
	PartitionGrew Point = "disk: the partition table knows the whole disk"
	StoreGrew     Point = "disk: the file system fills its partition"

	// Booting (cmd/stet-init).
	UpperBegun    Point = "init: an upper of /etc is begun"
	UpperFinished Point = "init: an upper of /etc has its number"
	StateApplied  Point = "init: /var has what the generation puts there"
)

// Points lists them all.
func Points() []Point {
	return []Point{
		ObjectWritten, StoreSynced, SystemPublished,
		TreesStaged, UnitsStopped, EtcCarried, UsrReplaced, EtcReplaced, VarApplied, TreesReplaced,
		TasksDone, ManagersTold, UnitsStarted, SwitchHealthy, SwitchDone,
		GenerationPrepared, GenerationRecorded, GenerationMarked,
		KernelPlaced, InitrdPlaced, EntryHidden, EntryPlaced, EntryBlessed, EntryRemoved, BlobRemoved,
		RecordRemoved, ObjectRemoved, UpperRemoved, AgedRemoved,
		StageFilled, ImageWritten, ImageNamed, PartitionGrew, StoreGrew,
		UpperBegun, UpperFinished, StateApplied,
	}
}

// variable is the environment's.
const variable = "STET_FAULT"

// halt is the end of a request that asks to stand still.
const halt = ":halt"

// Message is the line on the console that says that a point was reached.
func Message(p Point) string { return fmt.Sprintf("stet-fault: %s", p) }

// Reach says that p was just passed.
func Reach(p Point) { carryOut(requested(), p) }

// requested is what the environment, or the kernel command line of PID 1, asks
// for.
var requested = sync.OnceValue(func() string {
	if request, ok := os.LookupEnv(variable); ok {
		return request
	}
	if os.Getpid() != 1 {
		return ""
	}
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return ""
	}
	return fromCommandLine(string(text))
})

// Environment is what a program started elsewhere, which does not inherit this
// one's environment, needs of it to come to the same point.
func Environment() []string {
	if request, ok := os.LookupEnv(variable); ok {
		return []string{variable + "=" + request}
	}
	return nil
}

// fromCommandLine reads stet.fault= of a kernel command line. The kernel keeps
// quotes that stand around a value with spaces.
func fromCommandLine(text string) string {
	const key = "stet.fault="
	start := strings.Index(text, key)
	if start > 0 && text[start-1] == '"' { // "stet.fault=a b"
		value, _, _ := strings.Cut(text[start+len(key):], `"`)
		return value
	}
	if start < 0 || start > 0 && text[start-1] != ' ' {
		return ""
	}
	value := text[start+len(key):]
	if quoted, ok := strings.CutPrefix(value, `"`); ok { // stet.fault="a b"
		value, _, _ = strings.Cut(quoted, `"`)
		return value
	}
	value, _, _ = strings.Cut(strings.TrimSpace(value), " ")
	return value
}

func carryOut(request string, p Point) {
	switch request {
	case string(p):
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {} // until the signal comes
	case string(p) + halt:
		if console, err := os.OpenFile("/dev/console", os.O_WRONLY, 0); err == nil {
			fmt.Fprintln(console, Message(p))
		}
		for { // until the power goes; select{} alone would be a deadlock, which Go ends
			time.Sleep(time.Hour)
		}
	}
}
