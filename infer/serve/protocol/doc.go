// Package protocol speaks the Open Inference Protocol, version 2, over HTTP and
// gRPC, so that clients of KServe, Triton and MLServer can ask for scores. It
// reads requests with suspicion, finds the model in a registry, and answers; what
// computes is the model's scorer or, of a bare ONNX model, its runtime.
//
// Of a bundle a client gives journeys, each a JSON text, or rows that it has
// encoded itself; of an ONNX model the tensors that the model declares. Tensors
// travel as JSON, as the protocol's binary extension, or in gRPC messages, and
// mean the same: what comes out is equal to the bit.
//
// The package listens on no port and knows no customers: package serve mounts it,
// and limits how much is computed at once.
package protocol
