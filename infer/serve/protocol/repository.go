package protocol

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"moments/infer/registry"
	"moments/infer/serve/fault"
)

// name is what the server calls itself.
const name = "moments"

// extensions are those of the protocol that it speaks.
var extensions = []string{"binary_tensor_data", "model_repository", "statistics"}

func (s *Service) serverMetadata(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		Name       string   `json:"name"`
		Version    string   `json:"version"`
		Extensions []string `json:"extensions"`
	}{name, s.Version, extensions})
}

type tensorMetadata struct {
	Name     string            `json:"name"`
	Datatype registry.Datatype `json:"datatype"`
	Shape    []int64           `json:"shape"`
}

func tensorMetadataOf(tensors []registry.Tensor) []tensorMetadata {
	all := []tensorMetadata{}
	for _, t := range tensors {
		all = append(all, tensorMetadata{t.Name, t.Datatype, t.Shape})
	}
	return all
}

func (s *Service) modelMetadata(w http.ResponseWriter, _ *http.Request, m *registry.Model) error {
	sig := s.signature(m)
	writeJSON(w, http.StatusOK, struct {
		Name     string           `json:"name"`
		Versions []string         `json:"versions"`
		Platform string           `json:"platform"`
		Inputs   []tensorMetadata `json:"inputs"`
		Outputs  []tensorMetadata `json:"outputs"`
	}{m.Name, s.versions(m.Name), sig.platform, tensorMetadataOf(sig.inputs), tensorMetadataOf(sig.outputs)})
	return nil
}

// versions are those of a model that can be asked for.
func (s *Service) versions(model string) []string {
	for _, e := range s.Registry.Index() {
		if e.Name == model {
			return append([]string{}, e.Versions...)
		}
	}
	return []string{}
}

// An indexEntry is what the repository's index says of one model.
type indexEntry struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	State   string `json:"state"`
	Reason  string `json:"reason"`
}

// index lists the models, or those that are ready.
func (s *Service) index(ready bool) []indexEntry {
	all := []indexEntry{}
	for _, e := range s.Registry.Index() {
		state := "UNAVAILABLE"
		if e.Ready {
			state = "READY"
		}
		if e.Ready || !ready {
			all = append(all, indexEntry{e.Name, e.Version, state, e.Reason})
		}
	}
	return all
}

// maxControl bounds the bodies of requests about the repository.
const maxControl = 1 << 16

func (s *Service) serveIndex(w http.ResponseWriter, r *http.Request) {
	ready := false
	err := readControl(w, r, func(s *scanner, member string) {
		if member != "ready" {
			s.Skip()
			return
		}
		ready = s.Bool()
	})
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, s.index(ready))
}

// readControl reads a body that may be empty.
func readControl(w http.ResponseWriter, r *http.Request, member func(s *scanner, name string)) error {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControl))
	if err != nil {
		return fmt.Errorf("protocol: %w", err)
	}
	if len(text) == 0 {
		return nil
	}
	s := newScanner(text)
	for name := range s.Members() {
		member(s, name)
	}
	if err := s.End(); err != nil {
		return fault.Wrong(fmt.Errorf("protocol: %w", err))
	}
	return nil
}

// errForeignLoad refuses what a client would have the server load in place of
// the model that it has.
var errForeignLoad = errors.New("protocol: a model with a config or files of the client's is not loaded: put it into the server's folder")

func (s *Service) load(r *http.Request) error {
	err := readControl(nil, r, func(s *scanner, member string) {
		if member != "parameters" {
			s.Skip()
			return
		}
		for range s.Members() {
			s.Failf("%v", errForeignLoad)
		}
	})
	if err != nil {
		return err
	}
	return s.Registry.Load(r.Context(), r.PathValue("model"))
}

// unload takes a model out of service; requests under way end as they would.
func (s *Service) unload(r *http.Request) error {
	if err := readControl(nil, r, func(s *scanner, _ string) { s.Skip() }); err != nil {
		return err
	}
	return s.Registry.Unload(r.PathValue("model"))
}

// A duration is how often something happened and how long it took in all.
type duration struct {
	Count uint64 `json:"count"`
	NS    uint64 `json:"ns"`
}

func durationOf(t registry.Tally) duration { return duration{t.Count, uint64(t.Time)} }

// statistics are those of one version of a model, as Triton writes them.
type statistics struct {
	Name           string          `json:"name"`
	Version        string          `json:"version"`
	LastInference  uint64          `json:"last_inference"` // milliseconds since the Unix epoch
	InferenceCount uint64          `json:"inference_count"`
	ExecutionCount uint64          `json:"execution_count"`
	InferenceStats inferenceStats  `json:"inference_stats"`
	BatchStats     []batchStatsRow `json:"batch_stats"`
}

type inferenceStats struct {
	Success       duration `json:"success"`
	Fail          duration `json:"fail"`
	Queue         duration `json:"queue"`
	ComputeInput  duration `json:"compute_input"`
	ComputeInfer  duration `json:"compute_infer"`
	ComputeOutput duration `json:"compute_output"`
}

type batchStatsRow struct {
	BatchSize    int      `json:"batch_size"`
	ComputeInfer duration `json:"compute_infer"`
}

func statisticsOf(m *registry.Model) statistics {
	shot := m.Stats.Snapshot()
	all := statistics{
		Name: m.Name, Version: m.Version, LastInference: millis(shot.Last), InferenceCount: shot.Journeys, ExecutionCount: shot.Executions,
		InferenceStats: inferenceStats{
			durationOf(shot.Success), durationOf(shot.Failure), durationOf(shot.Queue),
			durationOf(shot.Input), durationOf(shot.Infer), durationOf(shot.Output),
		},
		BatchStats: []batchStatsRow{},
	}
	for _, b := range shot.Batches {
		all.BatchStats = append(all.BatchStats, batchStatsRow{b.Rows, durationOf(b.Tally)})
	}
	return all
}

func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixMilli())
}

type modelStats struct {
	ModelStats []statistics `json:"model_stats"`
}

func (s *Service) modelStatistics(w http.ResponseWriter, _ *http.Request, m *registry.Model) error {
	writeJSON(w, http.StatusOK, modelStats{[]statistics{statisticsOf(m)}})
	return nil
}

func (s *Service) allStatistics(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, modelStats{s.everyStatistics()})
}

// everyStatistics are those of all live models.
func (s *Service) everyStatistics() []statistics {
	all := []statistics{}
	for _, e := range s.Registry.Index() {
		m, release, err := s.Registry.Acquire(e.Name, "")
		if err != nil { // it is not ready, and has none
			continue
		}
		all = append(all, statisticsOf(m))
		release()
	}
	return slices.Clip(all)
}
