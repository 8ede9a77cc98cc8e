// Package oip holds the messages and the service of the Open Inference Protocol
// version 2 over gRPC, generated. Names and field numbers in open_inference.proto
// are those of the specification (Copyright The KServe Authors, licensed under the
// Apache License, version 2.0, as this repository is: see LICENSE at the top
// level); repository and statistics, which it leaves to servers, have the names
// and numbers that clients of Triton know.
//
// Generating needs protoc, protoc-gen-go v1.36.12 and protoc-gen-go-grpc v1.6.2 on
// the path.
package oip

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative open_inference.proto
