package train

import "moments/model"

// caseOutput is the output of every case.
const caseOutput = "out"

// A drawing is a network drawn by a function, of one output.
type drawing func(b model.Builder) *model.Node

// Forward draws the network.
func (d drawing) Forward(b model.Builder) model.Outputs { return model.Outputs{caseOutput: d(b)} }

// opCases are small networks whose output is one op's result. Its operands
// learn or are made of what learns, so that every gradient that the op hands
// out is seen.
var opCases = map[string]drawing{
	"Concat": func(b model.Builder) *model.Node {
		x := learned(b, 3)
		return b.Concat(x, model.Linear(b.In("second"), x, 1, model.ReLU), b.Input(model.InputBinary, 2), model.Linear(b.In("third"), x, 4, model.Identity))
	},
	"Concat of a value with itself": func(b model.Builder) *model.Node {
		x := learned(b, 2)
		return b.Concat(x, x, model.Linear(b.In("other"), x, 3, model.Identity), x)
	},
	"Dense": func(b model.Builder) *model.Node {
		return model.Linear(b, learned(b, 4), 3, model.Identity)
	},
	"Dense, one wide": func(b model.Builder) *model.Node {
		return model.Linear(b, learned(b, 1), 1, model.Identity)
	},
	"Dense, ReLU": func(b model.Builder) *model.Node {
		return model.Linear(b, learned(b, 5), 17, model.ReLU)
	},
	"Dense, LeakyReLU": func(b model.Builder) *model.Node {
		return model.Linear(b, learned(b, 5), 17, model.LeakyReLU)
	},
	"Dense of members": func(b model.Builder) *model.Node {
		return model.Linear(b, members(b, 3, 4), 5, model.ReLU)
	},
	"Embedding": func(b model.Builder) *model.Node {
		return model.Embed(b, b.Input(model.InputCategory, 2), []int{4, 3}, 5)
	},
	"Embedding, one wide": func(b model.Builder) *model.Node {
		return model.Embed(b, b.Input(model.InputCategory, 1), []int{3}, 1)
	},
	"PiecewiseLinear": func(b model.Builder) *model.Node {
		return model.Piecewise(b, b.Input(model.InputNumeric, 3), smallTable.Edges, 5)
	},
	"PiecewiseLinear, one wide": func(b model.Builder) *model.Node {
		return model.Piecewise(b, b.Input(model.InputNumeric, 1), [][]float32{{-0.5, 0.5}}, 1)
	},
	"EnsembleDense": func(b model.Builder) *model.Node {
		return model.EnsembleLinear(b, learned(b, 4), 3, 5, model.Init{}, model.Identity)
	},
	"EnsembleDense, ReLU, of an input": func(b model.Builder) *model.Node {
		return model.EnsembleLinear(b, b.Input(model.InputNumeric, 6), 3, 17, model.Init{}, model.ReLU)
	},
	"EnsembleDense, one member, frozen adapter": func(b model.Builder) *model.Node {
		h := model.EnsembleLinear(b, learned(b, 4), 1, 1, model.Init{Kind: model.Constant, Bound: 1.5}, model.LeakyReLU)
		h.In[1].Frozen = true
		return h
	},
	"EnsembleHead": func(b model.Builder) *model.Node {
		return model.Heads(b, members(b, 3, 4), 2)
	},
	"EnsembleHead, one target": func(b model.Builder) *model.Node {
		return model.Heads(b, members(b, 2, 5), 1)
	},
	"Sigmoid": func(b model.Builder) *model.Node {
		return probability(b).In[0].In[0]
	},
	"MeanMembers": func(b model.Builder) *model.Node {
		return probability(b).In[0]
	},
	"Temper": probability,
	"GRU": func(b model.Builder) *model.Node {
		return model.Recurrent(b, learnedEvents(b, 4), 5)
	},
	"GRU, wide, of an input": func(b model.Builder) *model.Node {
		return model.Recurrent(b, b.EventInput("events", 3), 17)
	},
	"GRU, one wide": func(b model.Builder) *model.Node {
		return model.Recurrent(b, learnedEvents(b, 1), 1)
	},
	"GRU of a GRU": func(b model.Builder) *model.Node {
		return model.Recurrent(b.In("second"), model.Recurrent(b.In("first"), learnedEvents(b, 3), 4), 3)
	},
	"Select": func(b model.Builder) *model.Node {
		return model.SelectRow(b, learnedEvents(b, 4), b.Input("row", 1))
	},
	"Concat of events": func(b model.Builder) *model.Node {
		ids := model.Embed(b, b.EventInput(model.InputCategory, 2), []int{4, 3}, 3)
		numbers := model.Piecewise(b.In("numbers"), b.EventInput(model.InputNumeric, 3), smallTable.Edges, 2)
		return b.Concat(ids, learnedEvents(b, 2), numbers)
	},
}

// learned is a value of one row for each example that depends on parameters
// through a wide enough input for their gradients to tell the whole gradient of
// the value.
func learned(b model.Builder, width int) *model.Node {
	return model.Linear(b.In("learned"), b.Input(model.InputNumeric, 6), width, model.Identity)
}

// learnedEvents is such a value of one row for each event.
func learnedEvents(b model.Builder, width int) *model.Node {
	return model.Linear(b.In("learned"), b.EventInput("learned events", 10), width, model.Identity)
}

// members is such a value of an ensemble.
func members(b model.Builder, members, width int) *model.Node {
	return model.EnsembleLinear(b.In("members"), learned(b, 5), members, width, model.Init{Kind: model.Constant, Bound: 1}, model.Identity)
}

// probability is the end of a classifier of two targets.
func probability(b model.Builder) *model.Node {
	return model.Classify(b, members(b, 3, 2))[model.OutputProbability]
}
