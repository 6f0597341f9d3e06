package bff

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"cloakroom/e2e/ca"
)

// frames is a client that writes HTTP/2 as it likes.
type frames struct {
	*http2.Framer
	t    *testing.T
	conn net.Conn
	buf  bytes.Buffer
	enc  *hpack.Encoder
}

func newFrames(t *testing.T, h *house, a *ca.Authority) *frames {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.Replace(strings.TrimPrefix(h.origin, "https://"), "localhost", "127.0.0.1", 1),
		&tls.Config{RootCAs: a.Pool, ServerName: "localhost", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	f := &frames{Framer: http2.NewFramer(conn, conn), t: t, conn: conn}
	f.enc = hpack.NewEncoder(&f.buf)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	io.WriteString(conn, http2.ClientPreface)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

// block encodes fields given as name, value, ….
func (f *frames) block(fields ...string) []byte {
	f.buf.Reset()
	for i := 0; i < len(fields); i += 2 {
		f.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(f.buf.Bytes())
}

// open begins a stream.
func (f *frames) open(stream uint32, end bool, fields ...string) error {
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.block(fields...), EndStream: end, EndHeaders: true})
}

// verdict is what becomes of stream 1: its status, the code of a reset or of the connection's end, or "closed".
func (f *frames) verdict() string {
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "reset by peer") {
				return "closed"
			}
			f.t.Fatal(err)
		}
		switch x := frame.(type) {
		case *http2.MetaHeadersFrame:
			if x.StreamID == 1 {
				return x.PseudoValue("status")
			}
		case *http2.RSTStreamFrame:
			if x.StreamID == 1 {
				return x.ErrCode.String()
			}
		case *http2.GoAwayFrame:
			return x.ErrCode.String()
		}
	}
}

// PRX-11: what RFC 9113, sections 8.2 and 8.3, calls malformed reaches no upstream.
func TestMalformedHTTP2IsRefused(t *testing.T) {
	h, a := newTLSHouse(t)
	get := []string{":method", "GET", ":scheme", "https", ":path", "/public/x", ":authority", "localhost:" + strings.TrimPrefix(h.origin, "https://localhost:")}
	with := func(fields ...string) []string { return append(append([]string(nil), get...), fields...) }
	for _, c := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"Connection", with("connection", "close"), "400"},
		{"Keep-Alive", with("keep-alive", "timeout=5"), "400"},
		{"Proxy-Connection", with("proxy-connection", "keep-alive"), "400"},
		{"Transfer-Encoding", with("transfer-encoding", "chunked"), "400"},
		{"Upgrade", with("upgrade", "websocket"), "400"},
		{"TE other than trailers", with("te", "gzip"), "400"},
		{"a name in capitals", with("X-Name", "v"), "PROTOCOL_ERROR"},
		{"a name with a space", with("x name", "v"), "PROTOCOL_ERROR"},
		{"a name with a line break", with("x\r\ny", "v"), "PROTOCOL_ERROR"},
		{"a name with a colon", with("x:y", "v"), "PROTOCOL_ERROR"},
		{"an empty name", with("", "v"), "PROTOCOL_ERROR"},
		{"a value with CR and LF", with("x", "a\r\nauthorization: Bearer y"), "PROTOCOL_ERROR"},
		{"a value with NUL", with("x", "a\x00b"), "PROTOCOL_ERROR"},
		{"two paths", with(":path", "/api/x"), "PROTOCOL_ERROR"},
		{"two methods", append([]string{":method", "POST"}, get...), "PROTOCOL_ERROR"},
		{"a pseudo header behind the others", with("x", "y", ":authority", "evil.test"), "PROTOCOL_ERROR"},
		{"an unknown pseudo header", append([]string{":evil", "x"}, get...), "PROTOCOL_ERROR"},
		{"one of answers", append([]string{":status", "200"}, get...), "PROTOCOL_ERROR"},
		{"no path", []string{":method", "GET", ":scheme", "https", ":authority", "localhost"}, "PROTOCOL_ERROR"},
		{"no method", get[2:], "PROTOCOL_ERROR"},
		{"no scheme", append(append([]string(nil), get[:2]...), get[4:]...), "PROTOCOL_ERROR"},
		{"a foreign authority", append(append([]string(nil), get[:6]...), ":authority", "evil.test"), "421"},
		{"an authority with a user name", append(append([]string(nil), get[:6]...), ":authority", "x@localhost"), "PROTOCOL_ERROR"},
		{"no authority and no host", get[:6], "421"},
		{"a Host that is not the authority", with("host", "evil.test"), "421"},
		{"two Hosts", with("host", get[7], "host", get[7]), "421"},
		{"a path that is none", append([]string{":path", "x"}, append(append([]string(nil), get[:4]...), get[6:]...)...), "PROTOCOL_ERROR"},
		{"a path with a line break", append([]string{":path", "/public/x\r\nHost: evil.test"}, append(append([]string(nil), get[:4]...), get[6:]...)...), "PROTOCOL_ERROR"},
		{"CONNECT", []string{":method", "CONNECT", ":authority", "evil.test:443"}, "405"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFrames(t, h, a)
			if err := f.open(1, true, c.fields...); err != nil {
				t.Fatal(err)
			}
			if got := f.verdict(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	if n := h.upstream.count(); n > 0 {
		t.Errorf("%d requests reached the upstream: %s", n, h.upstream.last().RequestURI)
	}
	f := newFrames(t, h, a)
	if err := f.open(1, true, with("host", get[7])...); err != nil {
		t.Fatal(err)
	}
	if got := f.verdict(); got != "200" || h.upstream.count() != 1 {
		t.Errorf("a good request: %s, %d at the upstream", got, h.upstream.count())
	}
}

// PRX-11: a body that is not as long as Content-Length says never arrives as a whole.
func TestABodyThatBeliesItsLengthIsRefused(t *testing.T) {
	h, a := newTLSHouse(t)
	for name, body := range map[string]string{"longer": "123456789", "shorter": "12"} {
		t.Run(name, func(t *testing.T) {
			f := newFrames(t, h, a)
			err := f.open(1, false, ":method", "POST", ":scheme", "https", ":path", "/public/x", ":authority", strings.TrimPrefix(h.origin, "https://"), "content-length", "5")
			if err != nil {
				t.Fatal(err)
			}
			if err := f.WriteData(1, true, []byte(body)); err != nil {
				t.Fatal(err)
			}
			if got := f.verdict(); got == "200" {
				t.Errorf("the request was answered %s", got)
			}
		})
	}
}

// PRX-46: one connection has no more requests under way than it is told.
func TestAConnectionHasABoundOnItsStreams(t *testing.T) {
	h, a := newTLSHouse(t)
	f := newFrames(t, h, a)
	for stream := uint32(1); stream < 2*130; stream += 2 { // bodies that never come
		err := f.open(stream, false, ":method", "POST", ":scheme", "https", ":path", "/public/x", ":authority", strings.TrimPrefix(h.origin, "https://"), "content-length", "5")
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := map[uint32]bool{}
	for len(refused) < 30 {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("%d streams were refused, want 30: %v", len(refused), err)
		}
		switch x := frame.(type) {
		case *http2.RSTStreamFrame:
			if refused[x.StreamID] = true; x.StreamID < 2*100 {
				t.Errorf("stream %d is refused, and only 100 are open", x.StreamID)
			}
		case *http2.SettingsFrame:
			if n, ok := x.Value(http2.SettingMaxConcurrentStreams); ok && n != 100 {
				t.Errorf("the server says that it takes %d", n)
			}
		}
	}
}

// PRX-46: a header that never ends is not collected for ever.
func TestAFloodOfContinuationsEndsTheConnection(t *testing.T) {
	h, a := newTLSHouse(t)
	f := newFrames(t, h, a)
	first := f.block(":method", "GET", ":scheme", "https", ":path", "/public/x", ":authority", "localhost")
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first}); err != nil {
		t.Fatal(err)
	}
	more := f.block("x-filler", strings.Repeat("x", 8000))
	done := make(chan int)
	go func() {
		n := 0
		for ; f.WriteContinuation(1, false, more) == nil; n++ {
		}
		done <- n
	}()
	if got := f.verdict(); got == "200" {
		t.Errorf("the request was answered %s", got)
	}
	f.conn.Close()
	<-done
	if n := h.upstream.count(); n > 0 {
		t.Errorf("%d requests reached the upstream", n)
	}
}
