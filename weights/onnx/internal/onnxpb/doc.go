// Package onnxpb holds the types of the ONNX format, generated from the
// project's own definition. onnx.proto is the file of the onnx package 1.23.2,
// unchanged: Copyright (c) ONNX Project Contributors, licensed under the Apache
// License, version 2.0, as this repository is (see LICENSE at the top level).
//
// Generating needs protoc and protoc-gen-go v1.36.12 on the path.
package onnxpb

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go_opt=Monnx.proto=moments/weights/onnx/internal/onnxpb onnx.proto
