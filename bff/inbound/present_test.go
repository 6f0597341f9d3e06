package inbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// everything is an Inbound that knows all kinds of callers; nothing of it can be asked.
func everything(header string) *Inbound {
	return &Inbound{
		cfg: Config{
			APIKey: APIKey{Header: header}, Basic: Basic{File: "f", Realm: "api"}, Bearer: []Bearer{{}}, Certificate: Certificate{CA: "c", Header: "Client-Cert"},
		},
		deps:  deps(newClock(), nil),
		certs: &certificates{},
	}
}

var allKinds = []string{KindAPIKey, KindBasic, KindBearer, KindCertificate}

const aKey = "ck_0123456789AB_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func wholeKey() string { return aKey + checksum(aKey) }

// AUN-01, AUN-02, AUN-04, AUN-07: which credential a request carries, or that it carries too much.
func TestWhichCredentialSpeaks(t *testing.T) {
	key := wholeKey()
	for _, c := range []struct {
		name   string
		target string
		lines  []string
		kinds  []string
		want   string
		reason string
	}{
		{"nothing at all", "/", nil, allKinds, "", ""},
		{"a key in its header", "/", []string{"X-API-Key: " + key}, allKinds, KindAPIKey, ""},
		{"a key in its header, which is no key", "/", []string{"X-API-Key: x"}, allKinds, KindAPIKey, ""},
		{"a password", "/", []string{"Authorization: Basic YTpi"}, allKinds, KindBasic, ""},
		{"a scheme in other case and more spaces", "/", []string{"Authorization: bAsIc   YTpi"}, allKinds, KindBasic, ""},
		{"a bearer", "/", []string{"Authorization: Bearer a.b.c"}, allKinds, KindBearer, ""},
		{"a credential that the route does not take is not there", "/", []string{"Authorization: Bearer a.b.c"}, []string{KindAPIKey}, "", ""},
		{"a password that a browser sends by itself opens no route for keys", "/", []string{"Authorization: Basic YTpi"}, []string{KindAPIKey}, "", ""},
		{"a route without callers looks at none", "/", []string{"Authorization: Bearer a.b.c"}, nil, "", ""},
		{"another scheme is nobody's", "/", []string{"Authorization: Negotiate abc"}, allKinds, "", ""},
		{"DPoP is no bearer", "/", []string{"Authorization: DPoP a.b.c"}, allKinds, "", ""},

		{"two Authorization headers", "/", []string{"Authorization: Bearer a.b.c", "Authorization: Basic YTpi"}, allKinds, "", ReasonTwo},
		{"the same Authorization twice", "/", []string{"Authorization: Bearer a", "Authorization: Bearer a"}, allKinds, "", ReasonTwo},
		{"two Authorization headers where nobody is taken", "/", []string{"Authorization: Bearer a.b.c", "Authorization: x"}, nil, "", ReasonTwo},
		{"two keys", "/", []string{"X-API-Key: " + key, "X-Api-Key: " + key}, allKinds, "", ReasonTwo},
		{"a key and a bearer", "/", []string{"X-API-Key: " + key, "Authorization: Bearer a.b.c"}, allKinds, "", ReasonTwo},
		{"a key and a bearer that the route does not take", "/", []string{"X-API-Key: " + key, "Authorization: Bearer a.b.c"}, []string{KindAPIKey}, "", ReasonTwo},
		{"a key that the route does not take and a password", "/", []string{"X-API-Key: " + key, "Authorization: Basic YTpi"}, []string{KindBasic}, "", ReasonTwo},
		{"two credentials in one line", "/", []string{"Authorization: Bearer a.b.c, Basic YTpi"}, allKinds, "", ReasonMalformed},
		{"a bearer without a token", "/", []string{"Authorization: Bearer"}, allKinds, "", ReasonMalformed},
		{"a bearer with a space in it", "/", []string{"Authorization: Bearer a b"}, allKinds, "", ReasonMalformed},
		{"a password that is not base64 at all", "/", []string{"Authorization: Basic a:b"}, allKinds, "", ReasonMalformed},

		{"a key in the query", "/?x=" + key, nil, []string{KindBasic}, "", ReasonKeyInQuery},
		{"a key in the query of a route without callers", "/?x=" + key, nil, nil, "", ReasonKeyInQuery},
		{"a key in the query, percent-encoded", "/?x=%63k" + key[2:], nil, allKinds, "", ReasonKeyInQuery},
		{"a key behind a semicolon", "/?a=b;x=" + key, nil, allKinds, "", ReasonKeyInQuery},
		{"api_key", "/?api_key=1", nil, allKinds, "", ReasonKeyInQuery},
		{"apikey in capitals", "/?a&APIKEY=1", nil, allKinds, "", ReasonKeyInQuery},
		{"x-api-key, percent-encoded", "/?x-ap%69-key=1", nil, allKinds, "", ReasonKeyInQuery},
		{"key with our prefix", "/?key=ck_oops", nil, allKinds, "", ReasonKeyInQuery},
		{"a key in the query beside one in the header", "/?api_key=1", []string{"X-API-Key: " + key}, allKinds, "", ReasonKeyInQuery},
		{"access_token", "/?access_token=a.b.c", nil, allKinds, "", ReasonTokenInQuery},
		{"a parameter that is called key", "/?key=maps-7", nil, allKinds, "", ""},
		{"api_key where no keys are taken", "/?api_key=1", nil, []string{KindBasic}, "", ""},
		{"access_token where no callers are taken", "/?access_token=1", nil, nil, "", ""},

		{"a key as a bearer is misplaced, and never a token", "/", []string{"Authorization: Bearer " + key}, allKinds, "", ReasonKeyMisplaced},
		{"half a key as a bearer, too", "/", []string{"Authorization: Bearer ck_a.b.c"}, allKinds, "", ReasonKeyMisplaced},
		{"a key as a bearer where only tokens are taken", "/", []string{"Authorization: Bearer " + key}, []string{KindBearer}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := everything("X-API-Key").Present(request(c.target, c.lines...), c.kinds)
			if c.reason == "" {
				if err != nil || got != c.want {
					t.Fatalf("got %q, %v, want %q", got, err, c.want)
				}
				return
			}
			r := refusal(t, err)
			if r.Reason != c.reason || r.Status != http.StatusBadRequest || got != "" {
				t.Errorf("got %q, %d %s, want 400 %s", got, r.Status, r.Reason, c.reason)
			}
			if errors.Is(err, ErrTwo) != (c.reason == ReasonTwo) {
				t.Errorf("%v: is it ErrTwo?", err)
			}
		})
	}
}

func TestAKeyAsABearer(t *testing.T) {
	in, key := everything("authorization"), wholeKey()
	for _, c := range []struct {
		line, want string
		kinds      []string
	}{
		{"Authorization: Bearer " + key, KindAPIKey, allKinds},
		{"Authorization: Bearer ck_x", KindAPIKey, allKinds},
		{"Authorization: bearer " + key, KindAPIKey, []string{KindAPIKey}},
		{"Authorization: Bearer " + key, "", []string{KindBearer}},
		{"Authorization: Bearer a.b.c", KindBearer, allKinds},
		{"X-API-Key: " + key, "", allKinds},
	} {
		if got, err := in.Present(request("/", c.line), c.kinds); got != c.want || err != nil {
			t.Errorf("%s for %v: got %q, %v, want %q", c.line, c.kinds, got, err, c.want)
		}
	}
}

// A certificate comes with the connection. It speaks where nothing else does; beside a token it is what that may be bound to.
func TestACertificateBesideOtherCredentials(t *testing.T) {
	const proxy, stranger = "10.0.0.9:1234", "192.0.2.1:1234"
	shown := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
	for _, c := range []struct {
		name  string
		from  string
		tls   *tls.ConnectionState
		lines []string
		kinds []string
		want  string
		two   bool
	}{
		{"alone", stranger, shown, nil, allKinds, KindCertificate, false},
		{"where the route wants none", stranger, shown, nil, []string{KindAPIKey}, "", false},
		{"beside a token", stranger, shown, []string{"Authorization: Bearer a"}, allKinds, KindBearer, false},
		{"beside a token that the route does not take", stranger, shown, []string{"Authorization: Bearer a"}, []string{KindCertificate}, KindCertificate, false},
		{"beside a key", stranger, shown, []string{"X-API-Key: x"}, allKinds, "", true},
		{"beside a password", stranger, shown, []string{"Authorization: Basic YTpi"}, allKinds, "", true},
		{"beside a key, where the route does not take certificates", stranger, shown, []string{"X-API-Key: x"}, []string{KindAPIKey}, KindAPIKey, false},
		{"of a proxy is not its client's", proxy, shown, nil, allKinds, "", false},
		{"handed over by a proxy", proxy, shown, []string{"Client-Cert: :AA==:"}, allKinds, KindCertificate, false},
		{"handed over twice", proxy, nil, []string{"Client-Cert: :AA==:", "Client-Cert: :AA==:"}, allKinds, "", true},
		{"handed over by a stranger", stranger, nil, []string{"Client-Cert: :AA==:"}, allKinds, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request("/", c.lines...)
			r.RemoteAddr, r.TLS = c.from, c.tls
			got, err := everything("X-API-Key").Present(r, c.kinds)
			if got != c.want || errors.Is(err, ErrTwo) != c.two || err != nil && !c.two {
				t.Errorf("got %q, %v, want %q, two: %v", got, err, c.want, c.two)
			}
		})
	}
}

// AUN-06: what a 401 says, and that no script makes a browser ask for a password.
func TestChallenges(t *testing.T) {
	for _, c := range []struct {
		name   string
		header string
		lines  []string
		kinds  []string
		want   []string
	}{
		{"all kinds to a program", "X-API-Key", nil, allKinds, []string{
			`ApiKey realm="cloakroom", header="X-API-Key"`, `Basic realm="api", charset="UTF-8"`, `Bearer realm="cloakroom"`, `Certificate realm="cloakroom"`}},
		{"a navigation may be asked for a password", "X-API-Key", []string{"Sec-Fetch-Mode: navigate"}, []string{KindBasic}, []string{`Basic realm="api", charset="UTF-8"`}},
		{"a script is not", "X-API-Key", []string{"Sec-Fetch-Mode: cors"}, []string{KindBasic}, nil},
		{"nor an image", "X-API-Key", []string{"Sec-Fetch-Mode: no-cors"}, []string{KindBasic, KindBearer}, []string{`Bearer realm="cloakroom"`}},
		{"nor a script of a browser without metadata", "X-API-Key", []string{"X-CSRF: 1"}, []string{KindBasic}, nil},
		{"nor one that posts", "X-API-Key", []string{"Origin: https://app.example.com"}, []string{KindBasic}, nil},
		{"keys and tokens in the same header are one challenge", "Authorization", nil, []string{KindAPIKey, KindBearer}, []string{`Bearer realm="cloakroom"`}},
		{"no kinds", "X-API-Key", nil, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := everything(c.header).Challenges(request("/", c.lines...), c.kinds); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestARefusedCredentialIsTold(t *testing.T) {
	s := &shelf{}
	d := deps(newClock(), nil)
	d.Keys = s
	in, err := New(Config{APIKey: APIKey{Header: "Authorization"}}, d)
	if err != nil {
		t.Fatal(err)
	}
	_, err = in.Identify(t.Context(), request("/", "Authorization: Bearer "+wholeKey()), KindAPIKey)
	if got, want := refusal(t, err).Challenge, []string{`Bearer realm="cloakroom", error="invalid_token"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want) // RFC 6750, section 3.1
	}
	if _, err := in.Identify(t.Context(), request("/"), KindBasic); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("a kind that is not configured: %v", err)
	}
}

// What can be presented is decided without a word of it in the error, and never for another kind than the route takes.
func FuzzPresent(f *testing.F) {
	key := wholeKey()
	for _, s := range [][4]string{
		{"Bearer a.b.c", "", "", ""}, {"Basic YTpi", "Bearer x", "", ""}, {"", "", key, "api_key=1"}, {"Bearer " + key, "", "", "a;b=%zz&x=" + key}, {"bearer\tck_", "", key, "%"},
	} {
		f.Add(s[0], s[1], s[2], s[3], uint8(15))
	}
	f.Fuzz(func(t *testing.T, first, second, key, query string, mask uint8) {
		var kinds []string
		for i, k := range allKinds {
			if mask&(1<<i) != 0 {
				kinds = append(kinds, k)
			}
		}
		r := request("/")
		r.URL.RawQuery = query
		count := 0
		for _, v := range []string{first, second} {
			if v != "" {
				r.Header["Authorization"] = append(r.Header["Authorization"], v)
				count++
			}
		}
		if key != "" {
			r.Header.Set("X-API-Key", key)
		}
		got, err := everything("X-API-Key").Present(r, kinds)
		if got != "" && !slices.Contains(kinds, got) {
			t.Fatalf("%q is none of %v", got, kinds)
		}
		if count == 2 && !errors.Is(err, ErrTwo) {
			t.Fatalf("two Authorization headers: %q, %v", got, err)
		}
		if _, value, _ := strings.Cut(r.Header.Get("Authorization"), " "); got == KindBearer && strings.HasPrefix(strings.TrimLeft(value, " "), keyPrefix) {
			t.Fatalf("a key is taken for a token: %q", value)
		}
		if strings.Contains(query, "x="+wholeKey()) && strings.HasPrefix(query, "x=") && len(query) == len("x=")+keyLength && err == nil {
			t.Fatal("a key in the query passes")
		}
		if err != nil {
			if r := refusal(t, err); r.Status != http.StatusBadRequest || len(key) > 12 && strings.Contains(err.Error(), key) || len(first) > 12 && strings.Contains(err.Error(), first) {
				t.Fatalf("%d %v", r.Status, err)
			}
		}
	})
}

func TestTheHeadersThatNoUpstreamGets(t *testing.T) {
	got := everything("x-my-key").CredentialHeaders()
	for _, want := range []string{"Authorization", "Client-Cert", "Client-Cert-Chain", "X-My-Key"} {
		if !slices.Contains(got, want) {
			t.Errorf("%v lacks %s", got, want)
		}
	}
}

// AUN-05: how it is known that a password came over TLS alone.
func TestOverTLS(t *testing.T) {
	for _, c := range []struct {
		name  string
		from  string
		tls   bool
		https bool
		lines []string
		want  bool
	}{
		{"our own TLS", "192.0.2.1:1", true, true, nil, true},
		{"plain HTTP", "192.0.2.1:1", false, true, nil, false},
		{"plain HTTP from this machine", "127.0.0.1:1", false, false, nil, false},
		{"plain HTTP that claims otherwise", "192.0.2.1:1", false, true, []string{"X-Forwarded-Proto: https"}, false},
		{"a trusted proxy, public_url is https", "10.1.2.3:1", false, true, nil, true},
		{"a trusted proxy that says https", "10.1.2.3:1", false, true, []string{"X-Forwarded-Proto: https"}, true},
		{"a trusted proxy that says http", "10.1.2.3:1", true, true, []string{"X-Forwarded-Proto: http"}, false},
		{"a trusted proxy behind one that says http", "10.1.2.3:1", false, true, []string{"X-Forwarded-Proto: http, https"}, false},
		{"a trusted proxy that says http in Forwarded", "10.1.2.3:1", false, true, []string{`Forwarded: for=192.0.2.1;proto="http", for=10.0.0.1;proto=https`}, false},
		{"a trusted proxy that says https in Forwarded", "[::ffff:10.1.2.3]:1", false, true, []string{`Forwarded: for=192.0.2.1; PROTO=https`}, true},
		{"a trusted proxy, public_url is http", "10.1.2.3:1", false, false, []string{"X-Forwarded-Proto: https"}, false},
		{"a peer without an address", "@", false, true, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := everything("X-API-Key")
			in.deps.HTTPS = c.https
			r := request("/", c.lines...)
			r.RemoteAddr = c.from
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if got := in.overTLS(r); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
