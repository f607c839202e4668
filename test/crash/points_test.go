package crash

import (
	"slices"
	"testing"

	"stet/internal/fault"
)

// where says which test comes to a point, by its name.
var where = map[string][]fault.Point{
	"TestKilledBuilds": {fault.ObjectWritten, fault.StoreSynced, fault.SystemPublished},
	"TestKilledImages": {fault.StageFilled, fault.ImageWritten, fault.ImageNamed},
	"TestKilledStaging": {
		fault.GenerationPrepared, fault.GenerationRecorded, fault.KernelPlaced, fault.InitrdPlaced, fault.EntryHidden, fault.EntryPlaced,
		fault.RecordRemoved, fault.EntryRemoved, fault.BlobRemoved, fault.ObjectRemoved,
	},
	"TestPowerCuts": {
		fault.ObjectWritten, fault.StoreSynced, fault.SystemPublished,
		fault.GenerationPrepared, fault.GenerationRecorded, fault.EntryHidden, fault.EntryPlaced,
		fault.RecordRemoved, fault.EntryRemoved, fault.ObjectRemoved, fault.GenerationMarked, fault.EntryBlessed,
	},
	"TestPowerCutsInASwitch": {
		fault.TreesStaged, fault.UnitsStopped, fault.EtcCarried, fault.UsrReplaced, fault.EtcReplaced, fault.VarApplied,
		fault.TreesReplaced, fault.TasksDone, fault.ManagersTold, fault.UnitsStarted, fault.SwitchHealthy,
		fault.GenerationPrepared, fault.GenerationRecorded, fault.EntryHidden, fault.EntryPlaced, fault.GenerationMarked, fault.SwitchDone,
	},
	"TestPowerCutsWhileBooting": {fault.UpperBegun, fault.UpperFinished, fault.StateApplied, fault.PartitionGrew, fault.StoreGrew},
	// In other packages, by a process that kills itself.
	"internal/gc TestKilledCollections": {fault.UpperRemoved, fault.AgedRemoved},
	"internal/activate TestWhatAKillLeavesIsTakenBackOrDone": {
		fault.TreesStaged, fault.UnitsStopped, fault.EtcCarried, fault.UsrReplaced, fault.EtcReplaced, fault.VarApplied,
		fault.TreesReplaced, fault.TasksDone, fault.ManagersTold, fault.UnitsStarted, fault.SwitchHealthy, fault.SwitchDone,
	},
}

func TestEveryPointIsCrashedAt(t *testing.T) {
	for _, p := range fault.Points() {
		found := false
		for _, points := range where {
			found = found || slices.Contains(points, p)
		}
		if !found {
			t.Errorf("no test crashes at %q", p)
		}
	}
}
