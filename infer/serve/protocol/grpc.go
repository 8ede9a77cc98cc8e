package protocol

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"moments/infer/registry"
	"moments/infer/serve/fault"
	"moments/infer/serve/protocol/internal/oip"
)

// Register adds the inference service and grpc.health.v1 to a server, which
// needs [Service.ServerOptions].
func (s *Service) Register(server grpc.ServiceRegistrar) {
	oip.RegisterGRPCInferenceServiceServer(server, &caller{service: s})
	grpc_health_v1.RegisterHealthServer(server, s.health)
}

// ServerOptions are what a server of the service must be made with: requests as
// large as over HTTP.
func (s *Service) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.MaxRecvMsgSize(int(s.MaxBody)), grpc.MaxSendMsgSize(int(s.MaxBody))}
}

// SetReady says whether clients should send requests: after everything is
// loaded, and until the server shuts down.
func (s *Service) SetReady(ready bool) {
	s.ready.Store(ready)
	state := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if ready {
		state = grpc_health_v1.HealthCheckResponse_SERVING
	}
	for _, service := range []string{"", oip.GRPCInferenceService_ServiceDesc.ServiceName} {
		s.health.SetServingStatus(service, state)
	}
}

// A caller is the service as gRPC calls it.
type caller struct {
	oip.UnimplementedGRPCInferenceServiceServer
	service *Service
}

// grpcCodes are the codes of HTTP's statuses.
var grpcCodes = map[int]codes.Code{
	http.StatusBadRequest: codes.InvalidArgument, http.StatusForbidden: codes.PermissionDenied, http.StatusNotFound: codes.NotFound,
	http.StatusRequestEntityTooLarge: codes.ResourceExhausted, http.StatusServiceUnavailable: codes.Unavailable,
	http.StatusGatewayTimeout: codes.DeadlineExceeded, fault.Closed: codes.Canceled,
}

// grpcError gives an error its code.
func grpcError(err error) error {
	if err == nil {
		return nil
	}
	code, ok := grpcCodes[statuses.Status(err)]
	if !ok {
		code = codes.Internal
	}
	return status.Error(code, err.Error())
}

// ServerLive says that the server runs.
func (c *caller) ServerLive(context.Context, *oip.ServerLiveRequest) (*oip.ServerLiveResponse, error) {
	return &oip.ServerLiveResponse{Live: true}, nil
}

// ServerReady says whether clients should send requests.
func (c *caller) ServerReady(context.Context, *oip.ServerReadyRequest) (*oip.ServerReadyResponse, error) {
	return &oip.ServerReadyResponse{Ready: c.service.Ready()}, nil
}

// ModelReady says whether a version can be asked for.
func (c *caller) ModelReady(_ context.Context, in *oip.ModelReadyRequest) (*oip.ModelReadyResponse, error) {
	_, release, err := c.service.Registry.Acquire(in.Name, in.Version)
	if err != nil {
		return &oip.ModelReadyResponse{}, nil
	}
	release()
	return &oip.ModelReadyResponse{Ready: true}, nil
}

// ServerMetadata names the server.
func (c *caller) ServerMetadata(context.Context, *oip.ServerMetadataRequest) (*oip.ServerMetadataResponse, error) {
	return &oip.ServerMetadataResponse{Name: name, Version: c.service.Version, Extensions: extensions}, nil
}

// ModelMetadata says what a model takes and gives.
func (c *caller) ModelMetadata(_ context.Context, in *oip.ModelMetadataRequest) (*oip.ModelMetadataResponse, error) {
	m, release, err := c.service.Registry.Acquire(in.Name, in.Version)
	if err != nil {
		return nil, grpcError(err)
	}
	defer release()
	sig := c.service.signature(m)
	return &oip.ModelMetadataResponse{
		Name: m.Name, Versions: c.service.versions(m.Name), Platform: sig.platform,
		Inputs: tensorMessages(sig.inputs), Outputs: tensorMessages(sig.outputs),
	}, nil
}

func tensorMessages(tensors []registry.Tensor) []*oip.ModelMetadataResponse_TensorMetadata {
	var all []*oip.ModelMetadataResponse_TensorMetadata
	for _, t := range tensors {
		all = append(all, &oip.ModelMetadataResponse_TensorMetadata{Name: t.Name, Datatype: string(t.Datatype), Shape: t.Shape})
	}
	return all
}

// ModelInfer answers an inference request: with raw contents where it has such.
func (c *caller) ModelInfer(ctx context.Context, in *oip.ModelInferRequest) (*oip.ModelInferResponse, error) {
	began := time.Now()
	leave, err := c.service.Engine.Enter()
	if err != nil {
		return nil, grpcError(err)
	}
	defer leave()
	m, release, err := c.service.Registry.Acquire(in.ModelName, in.ModelVersion)
	if err != nil {
		return nil, grpcError(err)
	}
	defer release()
	r, err := c.service.read(ctx, m, began, func() (*request, error) {
		r, err := requestOf(in, c.service.signature(m).check)
		return r, fault.Wrong(err)
	})
	if err != nil {
		return nil, grpcError(err)
	}
	answer, err := c.service.infer(ctx, m, r, began)
	if err != nil {
		return nil, grpcError(err)
	}
	return answer.message(r.binary), nil
}

// ModelStatistics are a model's, or those of all without a name.
func (c *caller) ModelStatistics(_ context.Context, in *oip.ModelStatisticsRequest) (*oip.ModelStatisticsResponse, error) {
	if in.Name == "" {
		return statisticsMessage(c.service.everyStatistics()), nil
	}
	m, release, err := c.service.Registry.Acquire(in.Name, in.Version)
	if err != nil {
		return nil, grpcError(err)
	}
	defer release()
	return statisticsMessage([]statistics{statisticsOf(m)}), nil
}

func statisticsMessage(all []statistics) *oip.ModelStatisticsResponse {
	message := &oip.ModelStatisticsResponse{}
	for _, s := range all {
		i := s.InferenceStats
		row := &oip.ModelStatistics{
			Name: s.Name, Version: s.Version, LastInference: s.LastInference, InferenceCount: s.InferenceCount, ExecutionCount: s.ExecutionCount,
			InferenceStats: &oip.InferStatistics{
				Success: i.Success.message(), Fail: i.Fail.message(), Queue: i.Queue.message(),
				ComputeInput: i.ComputeInput.message(), ComputeInfer: i.ComputeInfer.message(), ComputeOutput: i.ComputeOutput.message(),
			},
		}
		for _, b := range s.BatchStats {
			row.BatchStats = append(row.BatchStats, &oip.InferBatchStatistics{BatchSize: uint64(b.BatchSize), ComputeInfer: b.ComputeInfer.message()})
		}
		message.ModelStats = append(message.ModelStats, row)
	}
	return message
}

func (d duration) message() *oip.StatisticDuration {
	return &oip.StatisticDuration{Count: d.Count, Ns: d.NS}
}

// RepositoryIndex lists the models.
func (c *caller) RepositoryIndex(_ context.Context, in *oip.RepositoryIndexRequest) (*oip.RepositoryIndexResponse, error) {
	answer := &oip.RepositoryIndexResponse{}
	for _, e := range c.service.index(in.Ready) {
		answer.Models = append(answer.Models, &oip.RepositoryIndexResponse_ModelIndex{Name: e.Name, Version: e.Version, State: e.State, Reason: e.Reason})
	}
	return answer, nil
}

// RepositoryModelLoad loads a model of the server's folders, or looks whether it
// has changed.
func (c *caller) RepositoryModelLoad(ctx context.Context, in *oip.RepositoryModelLoadRequest) (*oip.RepositoryModelLoadResponse, error) {
	if err := c.service.mayControl(); err != nil {
		return nil, grpcError(err)
	}
	if len(in.Parameters) > 0 {
		return nil, grpcError(fault.Wrong(errForeignLoad))
	}
	return &oip.RepositoryModelLoadResponse{}, grpcError(c.service.Registry.Load(ctx, in.ModelName))
}

// RepositoryModelUnload takes a model out of service.
func (c *caller) RepositoryModelUnload(_ context.Context, in *oip.RepositoryModelUnloadRequest) (*oip.RepositoryModelUnloadResponse, error) {
	if err := c.service.mayControl(); err != nil {
		return nil, grpcError(err)
	}
	return &oip.RepositoryModelUnloadResponse{}, grpcError(c.service.Registry.Unload(in.ModelName))
}
