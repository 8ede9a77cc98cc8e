package main

import (
	"context"
	"errors"
	"math"
	"net"
	"runtime"
	"strings"
	"time"

	"moments/features"
	"moments/infer/customers"
	"moments/infer/onnxruntime"
	"moments/infer/registry"
	"moments/infer/serve"
	"moments/infer/serve/journeyjson"
	"moments/infer/serve/metrics"
	"moments/infer/serve/page"
	"moments/infer/serve/queue"
)

// serveCommand is the scoring server.
type serveCommand struct {
	Models []string `arg:"" name:"dir" help:"Folder of a bundle, an .onnx file, or a folder of such; NAME=DIR gives a model another name."`

	Listen string `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address of HTTP. Default: ${default}, which only this machine can reach."`
	GRPC   string `name:"grpc" placeholder:"ADDRESS" help:"Address of gRPC, such as 127.0.0.1:8081. Default: none."`
	Pprof  string `placeholder:"ADDRESS" help:"Address of the profiler's pages, which ask for no token: a local one. Default: none."`

	State       string        `placeholder:"DIR" help:"Keep customers' journeys in this folder. Default: keep none."`
	Sync        string        `enum:"os,interval,always" default:"os" help:"When events are acknowledged: ${enum}. os survives the end of the process, always the loss of power; interval syncs each second."`
	Retention   string        `placeholder:"AGE" help:"Forget customers whose last event is older, such as 400d. Default: never."`
	Cache       int           `default:"256" placeholder:"MIB" help:"Memory for followed journeys."`
	RepairState bool          ` help:"Open a state whose log of the last events is damaged, and lose what comes after the damage."`
	TokenFile   string        `placeholder:"FILE" help:"Ask for bearer tokens: lines of a name and the SHA-256 of a token. Read again when it changes."`
	TLSCert     string        `name:"tls-cert" placeholder:"FILE" help:"Certificate for TLS, with --tls-key. Read again when it changes."`
	TLSKey      string        `name:"tls-key" placeholder:"FILE" help:"Its key."`
	MaxBody     int64         `default:"64" placeholder:"MIB" help:"The largest request, decompressed."`
	MaxEvents   int           `default:"100000" placeholder:"N" help:"The most events of a request."`
	Queue       int           `default:"256" placeholder:"N" help:"Requests that may wait for a core; beyond it they get status 503."`
	Batch       int           `default:"32" placeholder:"N" help:"The most waiting journeys that are scored together; 1 scores each alone."`
	Timeout     time.Duration `default:"30s" placeholder:"TIME" help:"The longest that a request may take."`
	Drain       time.Duration `default:"20s" placeholder:"TIME" help:"How long requests may go on once the server is told to end."`

	Pin       []string      `sep:"none" placeholder:"MODEL=VERSION" help:"Let only this version of a model go live; once for each."`
	Shadow    []string      `sep:"none" placeholder:"MODEL=DIR" help:"Score with this bundle, too, and compare; once for each."`
	Poll      time.Duration `default:"1s" placeholder:"TIME" help:"How often folders are looked at for new versions."`
	Control   bool          `help:"Let clients load and unload models."`
	AccessLog bool          `help:"Log every request: route, status, client, bytes and time; never customers."`
}

// Help says what the flags do not.
func (*serveCommand) Help() string {
	return `Scores journeys over HTTP (POST /v1/score), keeps those of customers
(/v1/customers/{id}, with --state), and speaks the Open Inference Protocol, version
2, below /v2 and over gRPC. /openapi.json describes the first two, /metrics is for
Prometheus, and / a page for people. Scores are those of moments score, to the bit. A bundle that is
replaced is verified and warmed, and takes over without a failed request; one that
cannot be opened changes nothing. docs/serve.md has requests and answers.

  moments serve weights/loans
  moments serve weights --state /var/lib/moments --listen 0.0.0.0:8080 --token-file tokens
  curl -s localhost:8080/v1/score -H 'Content-Type: application/json' -d '{"events": []}'`
}

// Run serves until it is told to end.
func (v *serveCommand) Run(ctx context.Context, c *console) (err error) {
	o, err := v.options(c)
	if err != nil {
		return err
	}
	counted := metrics.New()
	defer counted.Close()
	if o.Registry, err = v.openRegistry(ctx, c, counted); err != nil {
		return err
	}
	defer o.Registry.Close()
	counted.Follow(o.Registry)
	o.Observer = serve.Observer{Active: counted.Active, Request: counted.Request, Waited: counted.Waited, Batch: counted.Batch, Scored: counted.Scored}
	o.Routes = page.Routes(o.Registry, counted)
	o.Routes["GET /metrics"] = counted.Handler()
	if o.Customers, err = v.openCustomers(c); err != nil {
		return err
	}
	if o.Customers != nil {
		defer func() { err = errors.Join(err, o.Customers.Close()) }()
	}
	// One thread more than what computes, so that requests that come are let in or
	// refused at once while every core is busy.
	cores := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(cores + 1)
	defer runtime.GOMAXPROCS(cores)
	o.Slots = cores
	s, err := serve.New(*o)
	if err != nil {
		return wrong(err)
	}
	countLines(s, counted)
	return s.Run(ctx, func(addresses map[string]net.Addr) {
		for _, side := range []string{"http", "grpc", "pprof"} {
			if a := addresses[side]; a != nil {
				c.log.Info("listening", "side", side, "address", a.String())
			}
		}
	})
}

// countLines adds what waits in the server to the metrics.
func countLines(s *serve.Server, counted *metrics.Metrics) {
	for name := range s.Lines() {
		state := func() queue.State { return s.Lines()[name] }
		counted.Gauge("queue_"+name+"_inside", "Requests for "+name+" that came in and are not answered yet.", func() float64 { return float64(state().Inside) })
		counted.Gauge("queue_"+name+"_running", "Slots of the line for "+name+" that are taken.", func() float64 { return float64(state().Running) })
		counted.Gauge("queue_"+name+"_waiting", "Parts of requests for "+name+" that wait for a core.", func() float64 { return float64(state().Waiting) })
		counted.Counter("queue_"+name+"_refused_total", "Requests for "+name+" that were refused, for there was too much to do.", func() float64 { return float64(state().Refused) })
	}
}

// options are what the flags say of the server itself.
func (v *serveCommand) options(c *console) (*serve.Options, error) {
	if v.MaxBody < 1 || v.MaxBody > 1<<12 || v.MaxEvents < 1 || v.Queue < 1 || v.Batch < 1 || v.Cache < 1 || v.Timeout <= 0 || v.Drain <= 0 || v.Poll <= 0 {
		return nil, wrongf("a limit is below 1, or --max-body above 4096 MiB: got --max-body %d --max-events %d --queue %d --batch %d --cache %d --timeout %s --drain %s --poll %s",
			v.MaxBody, v.MaxEvents, v.Queue, v.Batch, v.Cache, v.Timeout, v.Drain, v.Poll)
	}
	return &serve.Options{
		Meaning: meaningOf, Listen: v.Listen, GRPC: v.GRPC, Pprof: v.Pprof,
		CertFile: v.TLSCert, KeyFile: v.TLSKey, TokenFile: v.TokenFile,
		MaxBody: v.MaxBody << 20, MaxEvents: v.MaxEvents, Queue: v.Queue, Batch: v.Batch, Timeout: v.Timeout, Drain: v.Drain,
		Control: v.Control, AccessLog: v.AccessLog, Version: currentBuild().Version, Log: c.log,
	}, nil
}

// meaningOf reads off a bundle's task where it cuts journeys, and its zone.
func meaningOf(m *registry.Model) (features.CutoffRule, *time.Location, error) {
	task, err := taskOf(m.Bundle, m.Path)
	if err != nil {
		return features.CutoffRule{}, nil, err
	}
	return task.Rule(), task.Zone(), nil
}

func (v *serveCommand) openRegistry(ctx context.Context, c *console, counted *metrics.Metrics) (*registry.Registry, error) {
	pins, err := pairs("--pin", v.Pin)
	if err != nil {
		return nil, err
	}
	shadows, err := pairs("--shadow", v.Shadow)
	if err != nil {
		return nil, err
	}
	r, err := registry.Open(ctx, v.Models, registry.Options{
		Reasons: journeyjson.MaxReasons, Foreign: onnxruntime.Opener(c.library), OpenONNX: onnxruntime.OpenTensors(c.library),
		Verify: func(_ context.Context, _, fresh *registry.Model) error { return verify(fresh) },
		Pins:   pins, Shadows: shadows, Poll: v.Poll, Log: c.log, OnDifference: counted.Difference,
	})
	return r, wrong(err)
}

// verify refuses a bundle whose task cannot be read: how its journeys are cut
// would not be known.
func verify(m *registry.Model) error {
	if m.Bundle == nil {
		return nil
	}
	_, _, err := meaningOf(m)
	return err
}

// pairs reads the NAME=VALUE of a flag.
func pairs(flag string, given []string) (map[string]string, error) {
	all := map[string]string{}
	for _, text := range given {
		name, value, ok := strings.Cut(text, "=")
		if _, twice := all[name]; !ok || name == "" || value == "" || twice {
			return nil, wrongf("%s %q, want MODEL=VALUE, once for each model", flag, text)
		}
		all[name] = value
	}
	return all, nil
}

// openCustomers opens the store of --state; nil without.
func (v *serveCommand) openCustomers(c *console) (*customers.Store, error) {
	if v.State == "" {
		if v.Retention != "" || v.RepairState {
			return nil, wrongf("--retention or --repair-state without --state, want the folder in which customers are kept")
		}
		return nil, nil
	}
	o := customers.Options{Sync: customers.Sync(v.Sync), CacheBytes: int64(v.Cache) << 20, Repair: v.RepairState, Log: c.log}
	if v.Retention != "" {
		micros, err := features.ParseDuration(v.Retention)
		if err != nil {
			return nil, wrong(err)
		}
		const most = int64(math.MaxInt64 / time.Microsecond)
		o.Retention = time.Duration(min(micros, most)) * time.Microsecond
	}
	store, err := customers.Open(v.State, o)
	return store, wrong(err)
}
