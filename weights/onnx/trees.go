package onnx

import (
	"errors"
	"fmt"

	"moments/weights/onnx/internal/onnxpb"
)

// checkTrees demands of an ensemble of trees that its nodes are trees: the
// runtime follows branches without looking, and a circle would hold it for ever.
func checkTrees(n *onnxpb.NodeProto) error {
	if op := n.GetOpType(); op != "TreeEnsembleClassifier" && op != "TreeEnsembleRegressor" {
		return nil
	}
	ints, modes := map[string][]int64{}, [][]byte(nil)
	for _, a := range n.Attribute {
		ints[a.GetName()] = a.Ints
		if a.GetName() == "nodes_modes" {
			modes = a.Strings
		}
	}
	trees, nodes := ints["nodes_treeids"], ints["nodes_nodeids"]
	yes, no := ints["nodes_truenodeids"], ints["nodes_falsenodeids"]
	for _, name := range []string{"nodes_treeids", "nodes_nodeids", "nodes_truenodeids", "nodes_falsenodeids", "nodes_featureids"} {
		if got := len(ints[name]); got != len(modes) {
			return fmt.Errorf("%d %s, want %d, one for each of nodes_modes", got, name, len(modes))
		}
	}
	index := map[treeNode]int{}
	for i := range modes {
		id := treeNode{trees[i], nodes[i]}
		if _, ok := index[id]; ok {
			return fmt.Errorf("tree %d has two nodes %d", id.tree, id.node)
		}
		index[id] = i
	}
	children := make([][]int, len(modes))
	for i, mode := range modes {
		if string(mode) == "LEAF" {
			continue
		}
		for _, child := range []int64{yes[i], no[i]} {
			at, ok := index[treeNode{trees[i], child}]
			if !ok {
				return fmt.Errorf("node %d of tree %d branches to node %d, which is not there", nodes[i], trees[i], child)
			}
			children[i] = append(children[i], at)
		}
	}
	return checkForest(trees, children)
}

type treeNode struct{ tree, node int64 }

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
