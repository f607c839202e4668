package activate

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/facts"
	"stet/internal/fault"
	"stet/internal/systemd"
)

// Carrier is the process that carries a switch out, which no terminal, session or
// connection can end: a unit named [facts.SwitchUnit]. To begin it takes a while in which a plan
// can be made, so that it begins without a job, and waits for one. It is named a
// directory below /run, which gets the job, and the result.
type Carrier struct {
	machine  Machine
	dir      string
	asker    *os.File   // locked as long as whoever began it lives
	launched chan error // how beginning it ended
	carries  bool       // it was given a job
}

// The files of a carrier's directory.
const (
	askerFile  = "asker"
	jobFile    = "job.json"
	resultFile = "result.json"
)

// Begin begins a carrier: program, a command that gets the directory as its last
// argument and is launched as a service. What is wrong with it is told by
// [Carrier.Carry].
func (m Machine) Begin(ctx context.Context, launch func(context.Context, systemd.Service) error, program []string) (*Carrier, error) {
	dir, err := os.MkdirTemp(m.run("stet"), "job-")
	if err != nil {
		return nil, err
	}
	c := &Carrier{machine: m, dir: dir, launched: make(chan error, 1)}
	if c.asker, err = os.Create(filepath.Join(dir, askerFile)); err == nil {
		err = unix.Flock(int(c.asker.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	service := systemd.Service{
		Name: facts.SwitchUnit, Description: "Stet makes another system the running one",
		Command: append(slices.Clone(program), dir), Environment: fault.Environment(),
		Settings: []systemd.Setting{{Name: "KillMode", Value: "mixed"}, {Name: "OOMScoreAdjust", Value: int32(-900)}},
	}
	go func() {
		err := launch(context.WithoutCancel(ctx), service) // else nobody knew whether it runs
		if errors.Is(err, systemd.ErrExists) {
			err = ErrBusy
		}
		c.launched <- err
	}()
	return c, nil
}

// Carry gives the carrier its job, and waits for the end of it. When ctx ends, only the
// waiting does.
func (c *Carrier) Carry(ctx context.Context, job Job) (Result, error) {
	text, err := json.Marshal(job)
	if err == nil {
		err = writeFile(filepath.Join(c.dir, jobFile), text, 0o600)
	}
	if err != nil {
		return Result{}, err
	}
	if err := <-c.launched; err != nil {
		c.launched <- err
		return Result{}, err
	}
	c.carries = true
	result, err := c.await(ctx)
	if err == nil {
		err = os.RemoveAll(c.dir)
	}
	return result, err
}

// Close lets a carrier go that carries nothing, and waits until it has gone.
func (c *Carrier) Close() error {
	if c.carries {
		return c.asker.Close()
	}
	err := errors.Join(os.RemoveAll(c.dir), c.asker.Close())
	if <-c.launched != nil {
		return err
	}
	for range int(goes / look) {
		if c.isGone() {
			break
		}
		time.Sleep(look)
	}
	return err
}

// look is how often somebody looks for the other's next step; goes is how long a
// carrier without a job may take to end.
const (
	look = 20 * time.Millisecond
	goes = 10 * time.Second
)

// await waits for the result of a job, or for the end of its unit without one. Its
// manager is not asked, which has other things to do, and says nothing while it reads
// its units anew.
func (c *Carrier) await(ctx context.Context) (Result, error) {
	const ask = 100 // now and then
	for n, gone := 1, 0; ; n++ {
		text, err := os.ReadFile(filepath.Join(c.dir, resultFile))
		if err == nil {
			var result Result
			return result, json.Unmarshal(text, &result)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return Result{}, err
		}
		if gone > 1 {
			return Result{}, &EndedError{}
		}
		if n%ask == 0 && c.isGone() {
			gone++
		}
		if err := sleep(ctx, look); err != nil {
			return Result{}, err
		}
	}
}

// isGone reports whether the unit has ended: it is there as long as its control group.
func (c *Carrier) isGone() bool {
	_, err := os.Stat(filepath.Join(c.machine.Root, "sys/fs/cgroup/system.slice", facts.SwitchUnit))
	return errors.Is(err, fs.ErrNotExist)
}

// ErrNoJob says that whoever began a carrier has nothing to carry out, or has ended.
var ErrNoJob = errors.New("there is nothing to carry out")

// AwaitJob waits in a carrier for its job.
func AwaitJob(ctx context.Context, dir string) (Job, error) {
	for {
		asked, err := isAsked(dir)
		if err != nil {
			return Job{}, err
		}
		job, err := ReadJob(dir)
		if !errors.Is(err, fs.ErrNotExist) {
			return job, err
		}
		if !asked {
			return Job{}, errors.Join(ErrNoJob, os.RemoveAll(dir))
		}
		if err := sleep(ctx, look); err != nil {
			return Job{}, err
		}
	}
}

// isAsked reports whether the one who began a carrier is there. A job that is not there
// afterwards, where it is not, never comes.
func isAsked(dir string) (bool, error) {
	asker, err := os.Open(filepath.Join(dir, askerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer asker.Close()
	err = unix.Flock(int(asker.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	return errors.Is(err, unix.EWOULDBLOCK), nil
}
