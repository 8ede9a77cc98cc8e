package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"moments/weights"
)

// A checkpoint keeps a training run on disk between two epochs, as a
// safetensors file of the parameters, their best values so far and the
// optimiser's moments. Batches, noise and dropout follow from the seed and the
// epoch's number, so nothing else is needed to go on as if nothing had
// happened. A nil checkpoint keeps nothing.
type checkpoint struct {
	path        string
	fingerprint string        // of everything that decides the run; another one's checkpoint is refused
	resume      bool          // whether load reads the file
	every       time.Duration // least time between two writes, the last epoch's excepted
	written     time.Time
	pending     []byte // the last epoch's state, not yet on disk
}

// Groups of tensors in the file.
const (
	groupNow     = "now/"
	groupBest    = "best/"
	groupFirst   = "first_moment/"
	groupSecond  = "second_moment/"
	groupAverage = "average/"
)

// kept is what the optimiser keeps of each parameter, by group.
func (t *trained) kept() map[string]*arena {
	return map[string]*arena{groupFirst: t.m, groupSecond: t.v, groupAverage: t.average}
}

// position is the state's part that is not tensors.
type position struct {
	Epoch      int    `json:"epoch"`
	BestEpoch  int    `json:"best_epoch"`
	Step       int    `json:"step"`
	Best       uint64 `json:"best"`       // bits of a float64, which JSON could not always hold
	Validation uint64 `json:"validation"` // likewise
	Done       bool   `json:"done"`
}

// load puts a saved run back. Without resume, or without a file, it does nothing.
func (c *checkpoint) load(run *state, learned *trained, a *AdamW) error {
	if c == nil || !c.resume {
		return nil
	}
	raw, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("train: reading the checkpoint: %w", err)
	}
	tensors, meta, err := weights.ReadTensors(raw)
	if err != nil {
		return fmt.Errorf("train: checkpoint %s: %w; delete it to start again", c.path, err)
	}
	if meta["fingerprint"] != c.fingerprint {
		return fmt.Errorf("train: checkpoint %s belongs to another task, data set or setting; train without --resume to start again", c.path)
	}
	var at position
	if err := json.Unmarshal([]byte(meta["position"]), &at); err != nil {
		return fmt.Errorf("train: checkpoint %s: position: %w", c.path, err)
	}
	if err := learned.restore(group(tensors, groupNow)); err != nil {
		return fmt.Errorf("%w in checkpoint %s", err, c.path)
	}
	for prefix, kept := range learned.kept() {
		for _, n := range learned.graph.Params() {
			copy(kept.of(n), tensors[prefix+n.Name].Data)
		}
	}
	a.step = at.Step
	*run = state{at.Epoch, at.BestEpoch, math.Float64frombits(at.Best), math.Float64frombits(at.Validation), group(tensors, groupBest), at.Done}
	return nil
}

// group returns the tensors whose names start with prefix, without it.
func group(tensors map[string]weights.Tensor, prefix string) map[string]weights.Tensor {
	found := map[string]weights.Tensor{}
	for name, t := range tensors {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			found[rest] = t
		}
	}
	return found
}

// keep remembers the run after an epoch, and writes it down if the last write
// is long enough ago or if it must.
func (c *checkpoint) keep(run *state, learned *trained, a *AdamW, must bool) error {
	if c == nil {
		return nil
	}
	tensors := map[string]weights.Tensor{}
	for name, t := range learned.snapshot() {
		tensors[groupNow+name] = t
	}
	for name, t := range run.bestParams {
		tensors[groupBest+name] = t
	}
	for prefix, kept := range learned.kept() {
		for _, n := range learned.graph.Params() {
			if !n.Frozen {
				tensors[prefix+n.Name] = weights.Tensor{Shape: n.Shape, Data: kept.of(n)}
			}
		}
	}
	at, err := json.Marshal(position{run.epoch, run.bestEpoch, a.step, math.Float64bits(run.best), math.Float64bits(run.validation), run.done})
	if err != nil {
		return err
	}
	var file bytes.Buffer
	if err := weights.WriteTensors(&file, tensors, map[string]string{"fingerprint": c.fingerprint, "position": string(at)}); err != nil {
		return err
	}
	c.pending = file.Bytes()
	if must || time.Since(c.written) >= c.every {
		return c.flush()
	}
	return nil
}

// flush writes the last remembered state: whole, or not at all.
func (c *checkpoint) flush() error {
	if c == nil || c.pending == nil {
		return nil
	}
	temporary := c.path + "." + strconv.Itoa(os.Getpid())
	err := os.MkdirAll(filepath.Dir(c.path), 0o755)
	if err == nil {
		err = os.WriteFile(temporary, c.pending, 0o644)
	}
	if err == nil {
		err = os.Rename(temporary, c.path)
	}
	if err != nil {
		os.Remove(temporary)
		return fmt.Errorf("train: writing the checkpoint: %w", err)
	}
	c.pending, c.written = nil, time.Now()
	return nil
}
