package model

import "math"

// A Table is the shape of the rows that a tabular network reads: what the
// schema yields after normalisation. Parts of no width are not declared as
// inputs.
type Table struct {
	Numeric       int         `json:"numeric"`                 // normalised numeric columns
	Binary        int         `json:"binary"`                  // one-hot and indicator columns
	Cardinalities []int       `json:"cardinalities,omitempty"` // ids of each embedded category
	Edges         [][]float32 `json:"-"`                       // bin edges of each numeric column; data, kept with the weights
	Bins          int         `json:"bins,omitempty"`          // most bins of any column, so that the shape is known without the data
}

// read declares the table's inputs and joins them into one row. With bins, the
// numeric columns pass through piecewise-linear embeddings of the given width;
// without, they are used as they are. groups are the widths of the runs that
// stem from one column.
func (t Table) read(b Builder, embedding, categoryWidth int) (row *Node, groups []int) {
	row, groups = t.readAs(b, examples, embedding, categoryWidth)
	if row == nil {
		b.fail("a table without columns")
		row = b.Input(InputNumeric, 1)
	}
	return row, groups
}

// A source names the inputs of a table and says what there is a row for.
type source struct {
	numeric, binary, category string
	rows                      int
}

var (
	examples = source{InputNumeric, InputBinary, InputCategory, Batch}
	events   = source{InputEventNumeric, InputEventBinary, InputEventCategory, Events}
)

// readAs is read from any source; nil where the table has no columns.
func (t Table) readAs(b Builder, from source, embedding, categoryWidth int) (row *Node, groups []int) {
	var parts []*Node
	if t.Numeric > 0 {
		x := b.input(from.numeric, from.rows, t.Numeric)
		width := 1
		if embedding > 0 {
			x, width = Piecewise(b.In("numeric"), x, t.edges(), embedding), embedding
		}
		parts = append(parts, x)
		groups = appendRuns(groups, t.Numeric, width)
	}
	if t.Binary > 0 {
		parts = append(parts, b.input(from.binary, from.rows, t.Binary))
		groups = appendRuns(groups, t.Binary, 1)
	}
	if c := len(t.Cardinalities); c > 0 {
		parts = append(parts, Embed(b.In("category"), b.input(from.category, from.rows, c), t.Cardinalities, categoryWidth))
		groups = appendRuns(groups, c, categoryWidth)
	}
	if len(parts) == 0 {
		return nil, nil
	}
	return b.Concat(parts...), groups
}

// edges are the bin edges, or, where a saved network is drawn again and the
// weights file brings them, empty bins of the right number.
func (t Table) edges() [][]float32 {
	if t.Edges != nil {
		return t.Edges
	}
	if t.Numeric*max(t.Bins, 1) > maxEdges {
		return nil // refused by Piecewise, as any edges that do not fit the columns
	}
	blank := make([][]float32, t.Numeric)
	for i := range blank {
		blank[i] = make([]float32, max(t.Bins, 1)+1)
	}
	return blank
}

// Bounds that keep a config that came from elsewhere from costing more than a
// failed Build. No useful network comes near them.
const (
	maxEdges  = 1 << 24
	maxLayers = 1 << 10
)

// depth returns n, the number of hidden layers that a config asks for, when it
// is possible, and otherwise refuses it and returns 0.
func depth(b Builder, n int) int {
	if n < 1 || n > maxLayers {
		b.fail("got %d hidden layers, want 1 to %d", n, maxLayers)
		return 0
	}
	return n
}

func appendRuns(groups []int, n, width int) []int {
	for range n {
		groups = append(groups, width)
	}
	return groups
}

// MLP is the plain multi-layer perceptron: linear layers with ReLU between
// them and one logit for each target.
type MLP struct {
	Table         Table `json:"table"`
	Targets       int   `json:"targets"`
	Hidden        []int `json:"hidden"`
	CategoryWidth int   `json:"category_width"`
}

// Forward draws the network.
func (m MLP) Forward(b Builder) Outputs {
	x, _ := m.Table.read(b, 0, m.CategoryWidth)
	for i, width := range m.Hidden {
		x = Linear(b.In("trunk/%d", i), x, width, ReLU)
	}
	return Classify(b, single(b.In("head"), x, m.Targets))
}

// Additive is a generalised additive model (Hastie and Tibshirani, Generalized
// Additive Models, Statistical Science 1986): every column adds what it has to
// say of each target to the logit, a numeric one any piecewise-linear function
// of it and a many-levelled category a number for each level. Nothing interacts.
type Additive struct {
	Table   Table `json:"table"`
	Targets int   `json:"targets"`
}

// Forward draws the network. Embeddings are as wide as there are targets, so
// that a column has a function for each.
func (m Additive) Forward(b Builder) Outputs {
	x, _ := m.Table.read(b, m.Targets, m.Targets)
	return Classify(b, single(b.In("head"), x, m.Targets))
}

// single is the linear map of one member, so that every classifier has the same
// outputs.
func single(b Builder, x *Node, targets int) *Node {
	h := EnsembleLinear(b, x, 1, targets, Init{Kind: Constant, Bound: 1}, Identity)
	h.In[1].Frozen = true
	return h
}

// TabM is TabM-mini (Gorishniy et al., TabM: Advancing Tabular Deep Learning
// with Parameter-Efficient Ensembling, ICLR 2025): an ensemble of MLPs that
// share everything but one adapter on the input and their heads.
type TabM struct {
	Table         Table `json:"table"`
	Targets       int   `json:"targets"`
	Members       int   `json:"members"`        // k; published 32
	Width         int   `json:"width"`          // d; published 512
	Layers        int   `json:"layers"`         // hidden layers; published 2 to 3
	Embedding     int   `json:"embedding"`      // width of the piecewise-linear embedding of a numeric column; 0 for none
	CategoryWidth int   `json:"category_width"` // width of the embedding of a many-levelled category
}

// Forward draws the network.
func (m TabM) Forward(b Builder) Outputs {
	x, groups := m.Table.read(b, m.Embedding, m.CategoryWidth)
	start := Init{Kind: GroupNormal, Groups: groups}
	if m.Embedding == 0 {
		start.Kind = GroupSign
	}
	return ensemble(b, x, start, m.Members, m.Width, m.Layers, m.Targets)
}

// ensemble is what follows the embeddings of TabM-mini.
func ensemble(b Builder, x *Node, adapter Init, members, width, layers, targets int) Outputs {
	h := EnsembleLinear(b.In("trunk/0"), x, members, width, adapter, ReLU)
	for i := 1; i < depth(b, layers); i++ {
		h = Linear(b.In("trunk/%d", i), h, width, ReLU)
	}
	return Classify(b, Heads(b.In("head"), h, targets))
}

// Denoiser is a diffusion-scheduled denoising autoencoder: it sees a row with
// Gaussian noise of step t added and predicts the clean row. Its error over all
// steps is an anomaly score. Input "numeric" is the noisy standardised row and
// "time" the step's TimeEmbedding.
type Denoiser struct {
	Features int `json:"features"` // width of a row
	Width    int `json:"width"`    // hidden width; published 512
	Layers   int `json:"layers"`   // hidden layers; published 2
	Steps    int `json:"steps"`    // T of the noise schedule; published 50

	ScoreSteps int `json:"score_steps,omitempty"` // steps whose errors make the anomaly score, evenly spaced; 0 for all
}

// StepsScored returns the steps whose errors make the anomaly score: the
// middles of ScoreSteps equal parts of the schedule, or every step.
func (m Denoiser) StepsScored() []int {
	n := m.ScoreSteps
	if n < 1 || n > m.Steps {
		n = m.Steps
	}
	steps := make([]int, n)
	for i := range steps {
		steps[i] = (2*i + 1) * m.Steps / (2 * n)
	}
	return steps
}

// TimeWidth is the width of TimeEmbedding.
const TimeWidth = 4

// Forward draws the network.
func (m Denoiser) Forward(b Builder) Outputs {
	h := b.Concat(b.Input(InputNumeric, m.Features), b.Input(InputTime, TimeWidth))
	for i := range depth(b, m.Layers) {
		h = Linear(b.In("trunk/%d", i), h, m.Width, LeakyReLU)
	}
	return Outputs{OutputReconstruction: Linear(b.In("head"), h, m.Features, Identity)}
}

// Schedule returns, for step t from 0 to Steps-1, the factors of the clean row
// and of the noise in the noisy one: x_t = signal[t]·x + noise[t]·N(0, 1), with
// the linear variances 1e-4 to 0.02 of Ho et al., Denoising Diffusion
// Probabilistic Models (NeurIPS 2020), equation 4.
func (m Denoiser) Schedule() (signal, noise []float32) {
	kept := 1.0
	for t := range m.Steps {
		beta := 1e-4
		if m.Steps > 1 {
			beta += (0.02 - 1e-4) * float64(t) / float64(m.Steps-1)
		}
		kept *= 1 - beta
		signal = append(signal, float32(math.Sqrt(kept)))
		noise = append(noise, float32(math.Sqrt(1-kept)))
	}
	return signal, noise
}

// TimeEmbedding is the sinusoidal embedding of step t: sines and cosines at the
// frequencies 1 and 1/100.
func TimeEmbedding(t int) [TimeWidth]float32 {
	var e [TimeWidth]float32
	for i, frequency := range []float64{1, 0.01} {
		sin, cos := math.Sincos(float64(t) * frequency)
		e[i], e[i+TimeWidth/2] = float32(sin), float32(cos)
	}
	return e
}
