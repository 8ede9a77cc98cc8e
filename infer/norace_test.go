//go:build !race

package infer

const raced = false
