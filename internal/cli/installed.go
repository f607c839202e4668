package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"stet/internal/boot"
	"stet/internal/generation"
	"stet/internal/health"
	"stet/internal/stage"
	"stet/internal/state"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/systemd"
)

// installed is the machine that this program runs on, as Stet made it.
type installed struct {
	root  string // of its files
	store string
	mount string // where the ESP is mounted, when it is not where a machine has it

	system *systemd.Manager // one that is spoken with for longer; nil: none is
}

// machineESP is where a machine mounts its ESP.
const machineESP = "/efi"

// installed gives this machine.
func (a *app) installed(esp espFlag) (installed, error) {
	dir, err := a.storeDir()
	if esp.dir != "" {
		esp.dir = absolute(a.Dir, esp.dir)
	}
	return installed{root: cmp.Or(a.Root, "/"), store: dir, mount: esp.dir}, err
}

// espFlag is --esp of the commands that look at boot entries.
type espFlag struct{ dir string }

func (f *espFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "esp", "", "where the ESP is mounted, when it is not "+machineESP)
}

func (i installed) at(name string) string { return filepath.Join(i.root, name) }

func (i installed) esp() string { return cmp.Or(i.mount, i.at(machineESP)) }

// manager is the running systemd, the system's or a user's.
func (i installed) manager(of *systemd.User) systemd.Manager {
	if of == nil && i.system != nil {
		return *i.system
	}
	return systemd.Manager{User: of, Runtime: i.at("/run")}
}

// local is the machine as its health is looked at.
func (i installed) local() health.Local { return health.Local{Systemd: i.manager(nil)} }

// repository is where the machine keeps its own repository.
func (i installed) repository() string { return filepath.Join(i.store, "repository") }

func (i installed) generations() generation.Directory { return generation.In(i.store) }

// needESP gives where the ESP is mounted. A directory on which nothing is
// mounted is none: entries there would start nothing.
func (i installed) needESP() (string, error) {
	dir := i.esp()
	var about unix.Statfs_t
	if i.mount == "" {
		entries, err := os.ReadDir(dir) // it is mounted when somebody looks
		if err == nil {
			err = unix.Statfs(dir, &about)
		}
		if err != nil || len(entries) == 0 || about.Type != unix.MSDOS_SUPER_MAGIC {
			return "", &Failure{Code: ExitFailed, Err: fmt.Errorf("no ESP is mounted at %s", dir),
				Remedy: "a machine that a kernel and a disk are given to, as by `stet vm`, has none; else --esp says where it is mounted"}
		}
	}
	return dir, nil
}

// booted is the generation that the kernel command line names; 0 without one.
func (i installed) booted() (int, error) {
	text, err := os.ReadFile(i.at("/proc/cmdline"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	booted := 0
	for _, word := range strings.Fields(string(text)) {
		if value, ok := strings.CutPrefix(word, "stet.generation="); ok {
			if booted, err = strconv.Atoi(value); err != nil || booted < 1 {
				return 0, fmt.Errorf("stet.generation=%s on the kernel command line is no number of a generation", value)
			}
		}
	}
	return booted, nil
}

// running is the digest of the system that runs; "" where none of Stet's does.
func (i installed) running() (string, error) {
	text, err := os.ReadFile(i.at(state.BootFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	record, err := state.ParseBoot(text)
	return record.System, err
}

// standing tells what this machine has to do with its generations. Where no ESP
// is mounted, nothing is known of what starts next.
func (i installed) standing(history generation.History) (s generation.Standing, err error) {
	if s.Booted, err = i.booted(); err != nil {
		return s, err
	}
	system, err := i.running()
	if err != nil {
		return s, err
	}
	s.Running = history.RunningAs(s.Booted, system)
	esp, err := boot.ReadNames(i.esp())
	s.Default, s.GivenUp = esp.Default(), esp.GivenUp()
	return s, err
}

// stage gives the machine as somebody who stages systems needs it.
func (a *app) stage(i installed, s *store.Store, esp string) (stage.Machine, error) {
	booted, err := i.booted()
	if err != nil {
		return stage.Machine{}, err
	}
	running, err := i.running()
	return stage.Machine{Store: s, ESP: esp, Booted: booted, Running: running, Now: a.Now}, err
}

// openMachine opens the store of the machine that this program runs on. It is open to
// root alone; anybody else has a store of their own, in which nothing is of the machine.
func (a *app) openMachine() (*store.Store, error) {
	if err := a.mustBeRoot(); err != nil {
		return nil, err
	}
	s, err := a.openStore()
	if err != nil {
		return nil, needRoot(err)
	}
	s.RememberTrees()
	return s, nil
}

// mustBeRoot refuses everybody else on a machine that Stet made. It comes before a
// store is opened: where an ordinary user has none, that would make one, and behind it
// the program is root of a namespace, and cannot tell any more.
func (a *app) mustBeRoot() error {
	if a.User == 0 {
		return nil
	}
	if system, err := (installed{root: cmp.Or(a.Root, "/")}).running(); system == "" && err == nil {
		return nil // what is no machine of Stet's has its own way to say so
	}
	return &Failure{Code: ExitFailed, Err: errors.New("what this machine is, only root can see"), Remedy: "run it as root: `sudo stet " + shellWords(a.args) + "`"}
}

// shellWords writes arguments as a person types them.
func shellWords(args []string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,+@%"
	words := slices.Clone(args)
	for i, word := range words {
		if word == "" || strings.Trim(word, plain) != "" {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// needRoot refuses whoever cannot read a machine's generations.
func needRoot(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &Failure{Code: ExitFailed, Err: err, Remedy: "run it as root"}
	}
	return err
}

// generationNumber reads a number that a person gave.
func generationNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, wrongInput(fmt.Errorf("%q is no number of a generation", text), "`stet generations` lists them")
	}
	return n, nil
}

// find gives the generation that a person named.
func find(history generation.History, number int) (generation.Generation, error) {
	g, err := history.Find(number)
	if err != nil {
		return g, wrongInput(err, "`stet generations` lists them")
	}
	return g, nil
}

// machineOf gives the name of the machine that a system is of.
func machineOf(s *store.Store, digest string) (string, error) {
	text, err := s.System(digest)
	if err != nil {
		return "", err
	}
	m, err := system.ParseManifest(text)
	if err != nil {
		return "", err
	}
	return m.Machine, nil
}
