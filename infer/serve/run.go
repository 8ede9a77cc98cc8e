package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"moments/infer"
	"moments/infer/serve/fault"
)

// A side is one address and what is served there.
type side struct {
	name     string
	listener net.Listener
	serve    func(net.Listener) error
	drain    func(context.Context) error // ends once requests have ended
	stop     func()                      // at once
}

// Run listens and serves until the context ends, and then until requests under
// way have ended or Options.Drain is over. ready, which may be nil, hears the
// addresses once the server listens, by http, grpc and pprof.
func (s *Server) Run(ctx context.Context, ready func(map[string]net.Addr)) error {
	sides, err := s.listen(ctx)
	if err != nil {
		return err
	}
	background, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	group.Go(func() { s.options.Registry.Watch(background) })
	group.Go(func() { s.maintain(background) })

	failed := make(chan error, len(sides))
	addresses := map[string]net.Addr{}
	for _, side := range sides {
		addresses[side.name] = side.listener.Addr()
		group.Go(func() {
			if err := side.serve(side.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve: %s: %w", side.name, err)
			}
		})
	}
	s.protocol.SetReady(true)
	if ready != nil {
		ready(addresses)
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.protocol.SetReady(false)
	s.shut(sides)
	return err
}

// shut lets requests under way end, and then ends what is left.
func (s *Server) shut(sides []side) {
	ctx, cancel := context.WithTimeout(context.Background(), s.options.Drain)
	defer cancel()
	var group sync.WaitGroup
	for _, side := range sides {
		group.Go(func() {
			if side.drain(ctx) != nil {
				s.options.Log.Warn("requests did not end in time, and were cut off", "side", side.name)
			}
			side.stop()
		})
	}
	group.Wait()
}

// listen opens every address, or none.
func (s *Server) listen(ctx context.Context) (sides []side, err error) {
	for _, side := range []struct {
		name, address string
		make          func() side
	}{{"http", s.options.Listen, s.httpSide}, {"grpc", s.options.GRPC, s.grpcSide}, {"pprof", s.options.Pprof, pprofSide}} {
		if side.address == "" {
			continue
		}
		made := side.make()
		made.name = side.name
		if made.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", side.address); err != nil {
			for _, opened := range sides {
				opened.listener.Close()
			}
			return nil, fmt.Errorf("serve: %w", err)
		}
		sides = append(sides, made)
	}
	return sides, nil
}

func (s *Server) httpSide() side {
	o := &s.options
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: min(10*time.Second, o.Timeout), ReadTimeout: o.Timeout, WriteTimeout: 2 * o.Timeout, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       log.New(io.Discard, "", 0), // of what clients do to their connections; it has their addresses
	}
	serve := server.Serve
	if s.pair != nil {
		server.TLSConfig = s.pair.config("h2", "http/1.1")
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	return side{serve: serve, drain: server.Shutdown, stop: func() { server.Close() }}
}

func (s *Server) grpcSide() side {
	options := append(s.protocol.ServerOptions(),
		grpc.UnaryInterceptor(s.unary), grpc.StreamInterceptor(s.stream),
		grpc.ConnectionTimeout(min(10*time.Second, s.options.Timeout)), grpc.MaxConcurrentStreams(1000), grpc.MaxHeaderListSize(64<<10))
	if s.pair != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(s.pair.config("h2"))))
	}
	server := grpc.NewServer(options...)
	s.protocol.Register(server)
	drain := func(ctx context.Context) error {
		ended := make(chan struct{})
		go func() {
			server.GracefulStop()
			close(ended)
		}()
		select {
		case <-ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return side{serve: server.Serve, drain: drain, stop: server.Stop}
}

// unary asks for a token and sets the time limit of a call.
func (s *Server) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	began := time.Now()
	defer func() {
		if p := recover(); p != nil { // which would end the process
			s.options.Log.Error("a request failed", "route", info.FullMethod, "error", fmt.Sprint(p), "stack", string(debug.Stack()))
			answer, err = nil, status.Error(codes.Internal, "serve: a fault of the program: see its log")
		}
	}()
	client, err := s.allowCall(ctx, info.FullMethod)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
		defer cancel()
		answer, err = next(ctx, request)
	}
	s.told(info.FullMethod, httpStatus[status.Code(err)], client, 0, 0, time.Since(began))
	return answer, err
}

func (s *Server) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if _, err := s.allowCall(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(server, stream)
}

// openCalls need no token.
var openCalls = []string{
	"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/List",
	"/inference.GRPCInferenceService/ServerLive", "/inference.GRPCInferenceService/ServerReady",
}

func (s *Server) allowCall(ctx context.Context, method string) (client string, err error) {
	if s.tokens == nil || slices.Contains(openCalls, method) {
		return "", nil
	}
	if headers := metadata.ValueFromIncomingContext(ctx, "authorization"); len(headers) == 1 {
		if client, ok := s.tokens.bearer(headers[0]); ok {
			return client, nil
		}
	}
	return "", status.Error(codes.Unauthenticated, errNoToken.Error())
}

// httpStatus are the statuses of gRPC's codes, so that metrics have one kind.
var httpStatus = map[codes.Code]int{
	codes.OK: 200, codes.InvalidArgument: 400, codes.Unauthenticated: 401, codes.PermissionDenied: 403, codes.NotFound: 404,
	codes.ResourceExhausted: 413, codes.Unavailable: 503, codes.DeadlineExceeded: 504, codes.Canceled: fault.Closed,
	codes.Unimplemented: 501, codes.Internal: 500, codes.Unknown: 500,
}

// pprofSide serves the profiler's pages, to whoever reaches the address.
func pprofSide() side {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return side{serve: server.Serve, drain: func(context.Context) error { return nil }, stop: func() { server.Close() }}
}

// maintain does what has to be done now and then.
func (s *Server) maintain(ctx context.Context) {
	secrets, expiry := time.NewTicker(secretsPoll), time.NewTicker(time.Minute)
	defer secrets.Stop()
	defer expiry.Stop()
	var live []*infer.Scorer
	for {
		select {
		case <-ctx.Done():
			return
		case <-secrets.C:
			s.refreshSecrets()
			live = s.prune(ctx, live)
		case <-expiry.C:
			s.expire(ctx)
		}
	}
}

// prune lets go of what is kept of customers for versions that are no longer
// live. It returns the scorers of those that are.
func (s *Server) prune(ctx context.Context, before []*infer.Scorer) []*infer.Scorer {
	if s.options.Customers == nil {
		return nil
	}
	var live []*infer.Scorer
	for _, e := range s.options.Registry.Index() {
		for _, version := range e.Versions {
			if m, release, err := s.options.Registry.Acquire(e.Name, version); err == nil {
				if m.Scorer != nil {
					live = append(live, m.Scorer)
				}
				release()
			}
		}
	}
	if before != nil && !slices.Equal(before, live) {
		if err := s.options.Customers.Prune(ctx, live...); err != nil {
			s.options.Log.Error("states of customers under former versions cannot be dropped", "error", err.Error())
		}
	}
	return live
}

// expire forgets customers whose last event is too old.
func (s *Server) expire(ctx context.Context) {
	if s.options.Customers == nil {
		return
	}
	n, err := s.options.Customers.Expire(ctx, s.options.Now().UnixMicro())
	switch {
	case err != nil && ctx.Err() == nil:
		s.options.Log.Error("old customers cannot be forgotten", "error", err.Error())
	case n > 0:
		s.options.Log.Info("forgot customers whose last event is too old", "customers", n)
	}
}
