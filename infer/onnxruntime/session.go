package onnxruntime

import (
	"fmt"
	"runtime"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"moments/weights/onnx"
)

// A Model is loaded into the runtime. Goroutines share it; each makes sessions
// of its own.
type Model struct {
	Inputs  []onnx.Value
	Outputs []onnx.Value // those whose elements are numbers, with the shapes that the runtime gave

	session *ort.DynamicAdvancedSession
}

// Options of a model.
type Options struct {
	Threads int // that compute one run; 0 for one, which is best where sessions run side by side
}

// Load makes a model ready to run.
func (r *Runtime) Load(m *onnx.Model, o Options) (*Model, error) {
	raw, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	numbers := slices.DeleteFunc(slices.Clone(m.Outputs), func(v onnx.Value) bool { return v.Type == onnx.Text })
	if len(numbers) == 0 {
		return nil, fmt.Errorf("onnxruntime: the model has no output of numbers")
	}
	loaded := &Model{Inputs: slices.Clone(m.Inputs), Outputs: numbers}
	options, err := o.session()
	if err != nil {
		return nil, fmt.Errorf("onnxruntime: %w", err)
	}
	defer options.Destroy()
	loaded.session, err = ort.NewDynamicAdvancedSessionWithONNXData(raw, names(loaded.Inputs), names(loaded.Outputs), options)
	if err != nil {
		return nil, fmt.Errorf("onnxruntime: the runtime refuses the model: %w", err)
	}
	// Sessions hold their model, and finalizers run in that order.
	runtime.SetFinalizer(loaded, func(m *Model) { m.session.Destroy() })
	return loaded, loaded.settle()
}

// session returns the runtime's options; destroy them after use.
func (o Options) session() (*ort.SessionOptions, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	for _, set := range []error{
		options.SetIntraOpNumThreads(max(o.Threads, 1)),
		options.SetInterOpNumThreads(1),
		options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		options.SetLogSeverityLevel(ort.LoggingLevelFatal),
		// Numbers too small for float32 to be normal are slow, and kernels drop them too.
		options.AddSessionConfigEntry("session.set_denormal_as_zero", "1"),
	} {
		if set != nil {
			options.Destroy()
			return nil, set
		}
	}
	return options, nil
}

func names(values []onnx.Value) []string {
	var names []string
	for _, v := range values {
		names = append(names, v.Name)
	}
	return names
}

// settle finds the shapes of outputs that the model does not declare: it runs
// the model on a row of zeros and looks.
func (m *Model) settle() error {
	unknown := func(v onnx.Value) bool {
		return v.Shape == nil || slices.Contains(v.Shape[min(1, len(v.Shape)):], onnx.Free)
	}
	if !slices.ContainsFunc(m.Outputs, unknown) || slices.ContainsFunc(m.Inputs, unknown) {
		return nil
	}
	s := &Session{model: m, batch: 1}
	if err := s.makeInputs(nil); err != nil {
		return err
	}
	in, err := s.values(s.inputs, 1)
	if err != nil {
		return err
	}
	defer destroy(in)
	out := make([]ort.Value, len(m.Outputs))
	err = m.session.Run(in, out)
	defer destroy(out)
	if err != nil {
		return fmt.Errorf("onnxruntime: the model fails on a row of zeros: %w", err)
	}
	for i := range m.Outputs {
		v := &m.Outputs[i]
		if shape := out[i].GetShape(); out[i].GetONNXType() == ort.ONNXTypeTensor && len(shape) > 0 && shape[0] == 1 && unknown(*v) {
			v.Shape, v.Axes = []int{onnx.Free}, make([]string, len(shape))
			for _, d := range shape[1:] {
				v.Shape = append(v.Shape, int(d))
			}
		}
	}
	return nil
}

func destroy(values []ort.Value) {
	for _, v := range values {
		if v != nil {
			v.Destroy()
		}
	}
}

// A Session runs a model on batches of rows, in memory of its own. One
// goroutine may use it at a time.
type Session struct {
	model    *Model
	batch    int
	inputs   []buffer
	outputs  []buffer
	wanted   []string        // names of outputs
	bindings map[int]binding // by rows
}

// A binding ties the session's memory, as tensors of so many rows, to the
// model.
type binding struct {
	*ort.IoBinding
	tensors []ort.Value
	texts   []*ort.StringTensor // of inputs; nil for those of numbers
}

// maxBindings bounds the memory that calls with ever other numbers of rows
// take.
const maxBindings = 64

// NewSession returns a session for batches of up to batch rows. outputs are
// the names of those that it computes, all without any. sizes are the sizes of
// free dimensions other than the batch, by the model's names for them.
func (m *Model) NewSession(batch int, sizes map[string]int, outputs ...string) (*Session, error) {
	if len(outputs) == 0 {
		outputs = names(m.Outputs)
	}
	s := &Session{model: m, batch: max(batch, 1), wanted: outputs, bindings: map[int]binding{}}
	if err := s.makeInputs(sizes); err != nil {
		return nil, err
	}
	for _, name := range outputs {
		at := slices.IndexFunc(m.Outputs, func(v onnx.Value) bool { return v.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("onnxruntime: the model has no output %q of numbers, want one of %q", name, names(m.Outputs))
		}
		b, err := newBuffer(m.Outputs[at], s.batch, sizes)
		if err != nil {
			return nil, err
		}
		s.outputs = append(s.outputs, b)
	}
	runtime.SetFinalizer(s, func(s *Session) { s.Close() })
	return s, nil
}

func (s *Session) makeInputs(sizes map[string]int) error {
	for _, v := range s.model.Inputs {
		b, err := newBuffer(v, s.batch, sizes)
		if err != nil {
			return err
		}
		s.inputs = append(s.inputs, b)
	}
	return nil
}

// Batch is the largest number of rows that Run takes.
func (s *Session) Batch() int { return s.batch }

// Run computes the outputs of the first rows rows of the inputs. Of numbers, it
// allocates nothing once it has been called with as many rows.
func (s *Session) Run(rows int) error {
	if rows < 1 || rows > s.batch {
		return fmt.Errorf("onnxruntime: got %d rows, want 1 to %d", rows, s.batch)
	}
	b, ok := s.bindings[rows]
	if !ok {
		var err error
		if b, err = s.bind(rows); err != nil {
			return err
		}
	}
	for i, text := range b.texts {
		if text == nil {
			continue
		}
		if err := text.SetContents(s.inputs[i].texts(rows)); err != nil {
			return fmt.Errorf("onnxruntime: input %s: %w", s.model.Inputs[i].Name, err)
		}
	}
	if err := s.model.session.RunWithBinding(b.IoBinding); err != nil {
		return fmt.Errorf("onnxruntime: running the model: %w", err)
	}
	return nil
}

// bind makes the tensors for so many rows.
func (s *Session) bind(rows int) (b binding, err error) {
	if len(s.bindings) >= maxBindings {
		s.Close()
	}
	if b.IoBinding, err = s.model.session.CreateIoBinding(); err != nil {
		return b, fmt.Errorf("onnxruntime: %w", err)
	}
	in, err := s.values(s.inputs, rows)
	b.tensors = in
	if err == nil {
		var out []ort.Value
		out, err = s.values(s.outputs, rows)
		b.tensors = append(b.tensors, out...)
	}
	if err == nil {
		err = s.tie(b)
	}
	if err != nil {
		b.close()
		return b, fmt.Errorf("onnxruntime: %w", err)
	}
	b.texts = make([]*ort.StringTensor, len(in))
	for i, v := range in {
		b.texts[i], _ = v.(*ort.StringTensor)
	}
	s.bindings[rows] = b
	return b, nil
}

// tie binds the tensors by name.
func (s *Session) tie(b binding) error {
	for i, v := range s.model.Inputs {
		if err := b.BindInput(v.Name, b.tensors[i]); err != nil {
			return err
		}
	}
	for i, name := range s.wanted {
		if err := b.BindOutput(name, b.tensors[len(s.model.Inputs)+i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) values(buffers []buffer, rows int) ([]ort.Value, error) {
	var values []ort.Value
	for _, b := range buffers {
		v, err := b.tensor(rows)
		if err != nil {
			destroy(values)
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (b binding) close() {
	b.Destroy()
	destroy(b.tensors)
}

// Close frees what the runtime holds for the session; Run takes it up again.
// A session that nobody holds is closed in time.
func (s *Session) Close() {
	for _, b := range s.bindings {
		b.close()
	}
	clear(s.bindings)
}

// Input is the memory of an input, for the whole batch, to be filled before
// Run; nil when the model has no such input of elements T.
func Input[T Element](s *Session, name string) []T {
	return find[T](s.inputs, name, names(s.model.Inputs))
}

// Output is the memory of an output, valid until the next Run; nil when the
// session computes no such output of elements T.
func Output[T Element](s *Session, name string) []T { return find[T](s.outputs, name, s.wanted) }

func find[T Element](buffers []buffer, name string, names []string) []T {
	at := slices.Index(names, name)
	if at < 0 {
		return nil
	}
	b, ok := buffers[at].(*memory[T])
	if !ok {
		return nil
	}
	return b.data
}
