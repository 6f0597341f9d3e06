package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// grpcUpstream is a real gRPC server without TLS. Its unary calls tell what they heard in their trailers.
func grpcUpstream(t testing.TB) (url string, checks *grpchealth.Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		heard, _ := metadata.FromIncomingContext(ctx)
		md := metadata.Pairs("x-cost", "7", "set-cookie", "a=b", "x-echo", strings.Join(heard["authorization"], ","), "x-cookie", strings.Join(heard["cookie"], ","))
		if by, ok := ctx.Deadline(); ok && time.Until(by) < 10*time.Second {
			md.Set("x-deadline", "yes")
		}
		grpc.SetTrailer(ctx, md)
		return handle(ctx, req)
	}))
	checks = grpchealth.NewServer()
	healthpb.RegisterHealthServer(s, checks)
	reflection.RegisterV1(s)
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return "http://" + l.Addr().String(), checks
}

// dialThrough connects a real gRPC client to a gateway in front of the upstream.
func dialThrough(t testing.TB, g *gateway) *grpc.ClientConn {
	t.Helper()
	front := strings.TrimPrefix(newTLSFront(t, g), "https://")
	c, err := grpc.NewClient(front, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestGRPCPassesThrough(t *testing.T) {
	url, _ := grpcUpstream(t)
	g := newGatewayTo(t, Upstream{URL: url, Protocol: "h2c"}, nil)
	client := healthpb.NewHealthClient(dialThrough(t, g))
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()

	var trailer metadata.MD
	answer, err := client.Check(metadata.AppendToOutgoingContext(ctx, "cookie", "a=b", "authorization", "Bearer mine"), &healthpb.HealthCheckRequest{}, grpc.Trailer(&trailer))
	if err != nil || answer.Status != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("a unary call: %v, %v", answer, err)
	}
	if trailer["x-cost"] == nil || trailer["x-deadline"] == nil {
		t.Errorf("the trailers, or the deadline, were lost: %v", trailer)
	}
	if trailer["set-cookie"] != nil || trailer["x-echo"] != nil || len(trailer["x-cookie"]) != 1 || trailer["x-cookie"][0] != "" {
		t.Errorf("what must not cross has: %v", trailer)
	}
	_, err = client.Check(ctx, &healthpb.HealthCheckRequest{Service: "none"})
	if s := status.Convert(err); s.Code() != codes.NotFound || s.Message() != "unknown service" {
		t.Errorf("an error's status: %v", err)
	}
}

func TestGRPCStreamsPassThrough(t *testing.T) {
	url, checks := grpcUpstream(t)
	conn := dialThrough(t, newGatewayTo(t, Upstream{URL: url, Protocol: "h2c"}, nil))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	watch, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{Service: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthpb.HealthCheckResponse_ServingStatus{healthpb.HealthCheckResponse_SERVICE_UNKNOWN, healthpb.HealthCheckResponse_SERVING, healthpb.HealthCheckResponse_NOT_SERVING} {
		if want != healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
			checks.SetServingStatus("orders", want)
		}
		if got, err := watch.Recv(); err != nil || got.Status != want {
			t.Fatalf("a server's stream: %v, %v, want %v", got, err, want)
		}
	}
	both, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // each answer comes before the next question is asked
		if err := both.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
			t.Fatal(err)
		}
		if got, err := both.Recv(); err != nil || len(got.GetListServicesResponse().Service) != 2 {
			t.Fatalf("a stream in both directions: %v, %v", got, err)
		}
	}
	both.CloseSend()
	if _, err := both.Recv(); err != io.EOF {
		t.Errorf("its end: %v", err)
	}
}

func TestAGRPCCallIsOverWhenItsDeadlineIs(t *testing.T) {
	url, _ := grpcUpstream(t)
	g := newGatewayTo(t, Upstream{URL: url, Protocol: "h2c"}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	watch, err := healthpb.NewHealthClient(dialThrough(t, g)).Watch(ctx, &healthpb.HealthCheckRequest{Service: "orders"})
	for err == nil {
		_, err = watch.Recv()
	}
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
}

func TestAnUpstreamOfGRPCThatIsAway(t *testing.T) {
	g := newGatewayTo(t, Upstream{URL: nowhere(t), Protocol: "h2c"}, nil)
	_, err := healthpb.NewHealthClient(dialThrough(t, g)).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
}

// Only gRPC's content type, on both sides, opens the way for trailers.
func TestTrailersCrossForGRPCOnly(t *testing.T) { // PRX-01 PRX-16
	var te string
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		te = r.Header.Get("Te")
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
		w.Header().Set(http.TrailerPrefix+"Set-Cookie", "a=b")
		w.Header().Set(http.TrailerPrefix+"X-User", "b")
		w.Header().Set(http.TrailerPrefix+"X-Token", "Bearer "+token)
		w.Write([]byte("x"))
	}))
	up.Config.Protocols = new(http.Protocols)
	up.Config.Protocols.SetUnencryptedHTTP2(true)
	up.Start()
	t.Cleanup(up.Close)
	front := newTLSFront(t, newGatewayTo(t, Upstream{URL: up.URL, Protocol: "h2c"}, nil))
	for _, c := range []struct{ asked, answered, te, trailers string }{
		{"application/grpc", "application/grpc", "trailers", "Grpc-Status"},
		{"application/grpc+proto", "application/grpc+proto", "trailers", "Grpc-Status"},
		{"application/grpc", "text/html", "trailers", ""},
		{"application/json", "application/grpc", "", ""},
		{"application/grpc-web", "application/grpc-web", "", ""},
		{"application/grpcx", "application/grpcx", "", ""},
	} {
		res, _ := do(t, newRequest(t, "POST", front+"/x?type="+strings.ReplaceAll(c.answered, "+", "%2B"), "x", "Content-Type", c.asked, "Te", "trailers"))
		var names []string
		for name := range res.Trailer {
			names = append(names, name)
		}
		if got := strings.Join(names, " "); got != c.trailers || te != c.te || res.StatusCode != 200 {
			t.Errorf("%s answered %s: trailers %q, want %q; TE %q, want %q", c.asked, c.answered, got, c.trailers, te, c.te)
		}
	}
}

// Law 1: what proves to a server who asks does not come back in a call's trailers either.
func TestCredentialsDoNotComeBackInTrailers(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.WriteHeader(200)
		for _, name := range []string{"Authorization", "X-Identity", "X-Api-Key", "X-Tenant"} {
			w.Header().Set(http.TrailerPrefix+"Echo-"+name, "was "+r.Header.Get(name))
		}
	})
	up := httptest.NewUnstartedServer(mux)
	up.Config.Protocols = new(http.Protocols)
	up.Config.Protocols.SetUnencryptedHTTP2(true)
	up.Start()
	t.Cleanup(up.Close)
	front := newTLSFront(t, newGatewayTo(t, Upstream{URL: up.URL, Protocol: "h2c"}, telling))
	res, _ := do(t, newRequest(t, "POST", front+"/x", "x", "Content-Type", "application/grpc", "Te", "trailers"))
	if len(res.Trailer) != 1 || res.Trailer.Get("Echo-X-Tenant") != "was acme" {
		t.Errorf("the client got %v", res.Trailer)
	}
}
