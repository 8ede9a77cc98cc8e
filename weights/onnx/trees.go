package onnx

import (
	"errors"
	"fmt"
	"strings"

	"moments/weights/onnx/internal/onnxpb"
)

// An ensemble is a node of decision trees, as its attributes spell it: lists
// that run in parallel, one over the nodes of all trees, one over the weights
// that leaves give to classes or targets. The runtime takes their lengths and
// numbers on trust, so they are checked here.
type ensemble struct {
	lengths map[string]int // of every list
	ints    map[string][]int64
	modes   [][]byte
	index   map[treeNode]int
}

type treeNode struct{ tree, node int64 }

// checkTrees demands of an ensemble of trees that its lists fit together and
// its nodes are trees: a circle would hold the runtime for ever.
func checkTrees(n *onnxpb.NodeProto) error {
	switch n.GetOpType() {
	case "TreeEnsembleClassifier", "TreeEnsembleRegressor":
	case "TreeEnsemble":
		return errors.New("trees in the form of opset 5 of ai.onnx.ml, want that of opset 3 or older: export the model for it")
	default:
		return nil
	}
	e := ensemble{lengths: map[string]int{}, ints: map[string][]int64{}, index: map[treeNode]int{}}
	outputs := int64(0) // classes or targets
	for _, a := range n.Attribute {
		name := strings.TrimSuffix(a.GetName(), "_as_tensor")
		length := len(a.Ints) + len(a.Floats) + len(a.Strings)
		if a.T != nil {
			size, err := elements(a.T.Dims)
			if err != nil {
				return err
			}
			length = int(size)
		}
		e.lengths[name] = length
		e.ints[name] = a.Ints
		switch name {
		case "nodes_modes":
			e.modes = a.Strings
		case "classlabels_int64s", "classlabels_strings":
			outputs = max(outputs, int64(length))
		case "n_targets":
			outputs = a.GetI()
		}
	}
	if err := e.checkNodes(); err != nil {
		return err
	}
	return e.checkWeights(outputs)
}

// parallel demands lists of equal length; optional ones may be empty.
func (e *ensemble) parallel(want int, prefix, required, optional string) error {
	for _, name := range strings.Fields(required) {
		if got := e.lengths[prefix+name]; got != want {
			return fmt.Errorf("%s%s has %d values, want %d", prefix, name, got, want)
		}
	}
	for _, name := range strings.Fields(optional) {
		if got := e.lengths[prefix+name]; got != 0 && got != want {
			return fmt.Errorf("%s%s has %d values, want %d or none", prefix, name, got, want)
		}
	}
	return nil
}

func (e *ensemble) checkNodes() error {
	if err := e.parallel(len(e.modes), "nodes_", "treeids nodeids truenodeids falsenodeids featureids values", "hitrates missing_value_tracks_true"); err != nil {
		return err
	}
	trees, nodes := e.ints["nodes_treeids"], e.ints["nodes_nodeids"]
	for i := range e.modes {
		id := treeNode{trees[i], nodes[i]}
		if _, ok := e.index[id]; ok || e.ints["nodes_featureids"][i] < 0 {
			return fmt.Errorf("tree %d has two nodes %d, or one that looks at feature %d", id.tree, id.node, e.ints["nodes_featureids"][i])
		}
		e.index[id] = i
	}
	children := make([][]int, len(e.modes))
	for i, mode := range e.modes {
		if string(mode) == "LEAF" {
			continue
		}
		for _, branch := range []string{"nodes_truenodeids", "nodes_falsenodeids"} {
			child := e.ints[branch][i]
			at, ok := e.index[treeNode{trees[i], child}]
			if !ok {
				return fmt.Errorf("node %d of tree %d branches to node %d, which is not there", nodes[i], trees[i], child)
			}
			children[i] = append(children[i], at)
		}
	}
	return checkForest(trees, children)
}

// checkForest demands that every node has one way to it from the first of its
// tree that is nobody's child.
func checkForest(trees []int64, children [][]int) error {
	parents := make([]int, len(children))
	for _, below := range children {
		for _, child := range below {
			if parents[child]++; parents[child] > 1 {
				return fmt.Errorf("tree %d has a node of two parents, want a tree", trees[child])
			}
		}
	}
	var reached []int
	roots := map[int64]bool{}
	for i, n := range parents {
		if n == 0 {
			if roots[trees[i]] {
				return fmt.Errorf("tree %d has two roots", trees[i])
			}
			roots[trees[i]] = true
			reached = append(reached, i)
		}
	}
	for i := 0; i < len(reached); i++ { // grows
		reached = append(reached, children[reached[i]]...)
	}
	if len(reached) != len(children) {
		return errors.New("a tree goes in circles")
	}
	return nil
}

// checkWeights demands weights that are of nodes, and for classes or targets
// that are there.
func (e *ensemble) checkWeights(outputs int64) error {
	prefix := "class_"
	if e.lengths["target_ids"] > 0 {
		prefix = "target_"
	}
	ids := e.ints[prefix+"ids"]
	if err := e.parallel(len(ids), prefix, "treeids nodeids weights", ""); err != nil {
		return err
	}
	for i, id := range ids {
		leaf := treeNode{e.ints[prefix+"treeids"][i], e.ints[prefix+"nodeids"][i]}
		if _, ok := e.index[leaf]; !ok || id < 0 || id >= outputs {
			return fmt.Errorf("weight %d is of node %d in tree %d for output %d, want a node that is there and an output below %d", i, leaf.node, leaf.tree, id, outputs)
		}
	}
	if base := int64(e.lengths["base_values"]); base > max(outputs, 1) {
		return fmt.Errorf("%d base values, want at most %d", base, outputs)
	}
	return nil
}
