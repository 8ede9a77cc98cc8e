//go:build race

package infer

// raced says that the race detector runs, under which pools forget at random.
const raced = true
