package edge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/edge"
)

// logged runs one request through the whole chain and returns its log records.
func logged(t *testing.T, r *http.Request, h http.HandlerFunc) (records []map[string]any, w *httptest.ResponseRecorder) {
	t.Helper()
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w = httptest.NewRecorder()
	func() {
		defer func() { _ = recover() }() // net/http's part, for aborted answers
		whole(log, nil)(h).ServeHTTP(w, r)
	}()
	for line := range strings.Lines(out.String()) {
		var rec map[string]any
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		records = append(records, rec)
	}
	return records, w
}

// whole is the chain as the package's manual shows it.
func whole(log *slog.Logger, done func(*edge.Record, *http.Request, edge.Result)) edge.Middleware {
	return func(h http.Handler) http.Handler {
		return edge.Chain(h, edge.RequestID(), edge.AccessLog(log, done), edge.SecurityHeaders(own), edge.WithPages("default-src 'self'", page),
			edge.Recover(), edge.CloseChunked(), edge.Methods(), edge.Host(own), edge.ClientIP(nil), edge.CanonicalPath())
	}
}

func request(method, target string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "app.example.com"
	return r
}

func TestOneRecordSaysHowARequestWent(t *testing.T) {
	records, w := logged(t, request("GET", "/api/orders/7?code=SECRET"), func(w http.ResponseWriter, r *http.Request) {
		rec := edge.From(r.Context())
		rec.Route, rec.Subject, rec.Session, rec.Reason = "/api/orders/", edge.Pseudonym("https://id.example.com", "alice"), "abcdefgh", "same_origin"
		rec.Upstream = 1500 * time.Microsecond
		rec.Err = errors.New("a cause")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte("hello"))
	})
	if len(records) != 1 {
		t.Fatalf("%d records: %v", len(records), records)
	}
	got := records[0]
	for key, want := range map[string]any{"msg": "request", "level": "INFO", "id": w.Header().Get("X-Request-Id"), "method": "GET", "route": "/api/orders/",
		"status": 201.0, "bytes": 5.0, "ip": "192.0.2.1", "upstream_us": 1500.0, "subject": edge.Pseudonym("https://id.example.com", "alice"),
		"session": "abcdefgh", "reason": "same_origin", "err": "a cause"} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
	if _, ok := got["us"].(float64); !ok || got["path"] != nil {
		t.Errorf("record %v", got)
	}
}

// LOG-01
func TestRefusalIsOneEventWithItsReason(t *testing.T) {
	foreign := request("GET", "/x")
	foreign.Host = "evil.example"
	for _, tt := range []struct {
		name, code, reason string
		r                  *http.Request
		h                  http.HandlerFunc
	}{
		{"two readings of a path", "bad_request_path", "path_delimiter", request("GET", "/a;b"), nil},
		{"broken query", "bad_query", "query_bad_escape", request("GET", "/a?%zz"), nil},
		{"foreign host", "misdirected", "foreign_host", foreign, nil},
		{"handler's decision", "cross_site", "same_site", request("POST", "/a"), func(w http.ResponseWriter, r *http.Request) {
			edge.From(r.Context()).Reason = "same_site"
			edge.Answer(w, r, &edge.Problem{Code: "cross_site"})
		}},
	} {
		records, _ := logged(t, tt.r, tt.h)
		if len(records) != 2 || records[0]["event"] != edge.EventRefused || records[0]["code"] != tt.code || records[0]["reason"] != tt.reason ||
			records[0]["level"] != "WARN" || records[0]["ip"] != nil && records[0]["ip"] != "192.0.2.1" || records[1]["reason"] != tt.reason || records[1]["code"] != tt.code {
			t.Errorf("%s: %v", tt.name, records)
		}
	}
	records, _ := logged(t, request("GET", "/a"), func(w http.ResponseWriter, r *http.Request) { edge.Answer(w, r, &edge.Problem{Code: "not_found"}) })
	if len(records) != 1 || records[0]["path"] != "/a" {
		t.Errorf("a page that does not exist is an event: %v", records)
	}
}

// LOG-01: what a rule or a limit refuses is an event, also where the answer hides that, or says that nobody knows. Whoever is asked to sign in is not refused.
func TestARulesRefusalIsOneEventWhateverTheAnswer(t *testing.T) {
	for code, events := range map[string]int{"not_found": 1, "rules_unavailable": 1, "limits_unavailable": 1, "forbidden": 1, "too_many_requests": 1, "step_up": 0, "signed_out": 0} {
		records, _ := logged(t, request("GET", "/a"), func(w http.ResponseWriter, r *http.Request) {
			edge.From(r.Context()).Rule, edge.From(r.Context()).Reason = "owner", "resource_missing"
			edge.Answer(w, r, &edge.Problem{Code: code})
		})
		if len(records) != 1+events || records[0]["rule"] != "owner" || records[0]["reason"] != "resource_missing" || events == 1 && records[0]["event"] != edge.EventRefused {
			t.Errorf("%s: %v", code, records)
		}
	}
}

// LOG-02: what travels in a query, a cookie or a header is in no record.
func TestNoSecretOfTheRequestIsLogged(t *testing.T) {
	for _, target := range []string{"/bff/callback?code=TOPSECRET&state=TOPSECRET", "/x;y?code=TOPSECRET", "/x?code=TOPSECRET&%zz"} {
		r := request("GET", target)
		for _, name := range []string{"Cookie", "Authorization", "Referer", "User-Agent", "X-Request-Id"} {
			r.Header.Set(name, "TOPSECRET")
		}
		records, _ := logged(t, r, func(http.ResponseWriter, *http.Request) { panic("TOPSECRET") })
		if text, _ := json.Marshal(records); len(records) == 0 || bytes.Contains(text, []byte("TOPSECRET")) {
			t.Errorf("%s: %s", target, text)
		}
	}
}

// LOG-03
func TestForeignTextCannotForgeRecords(t *testing.T) {
	const hostile = "x\r\nlevel=ERROR msg=forged\x1b[31m\",\"msg\":\"forged"
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
	} {
		var out bytes.Buffer
		r := request("GET", "/")
		r.URL.Path, r.URL.RawPath = "/"+hostile+strings.Repeat("y", 5000), ""
		r.Method = "GET" + strings.Repeat("T", 500)
		edge.Chain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			edge.From(r.Context()).Err = errors.New(hostile + strings.Repeat("z", 5000))
		}), edge.RequestID(), edge.AccessLog(slog.New(handler(&out)), nil)).ServeHTTP(httptest.NewRecorder(), r)
		if s := out.String(); strings.Count(s, "\n") != 1 || strings.ContainsAny(s, "\r\x1b") || len(s) > 2500 || strings.Contains(s, "\nlevel") {
			t.Errorf("%s: %d bytes: %s", name, len(s), s)
		}
		if name == "json" {
			var rec map[string]any
			if err := json.Unmarshal(out.Bytes(), &rec); err != nil || rec["msg"] != "request" {
				t.Errorf("record %v, %v", rec, err)
			}
		}
	}
}

// ERR-03, and the stack is in the log.
func TestPanicIsAnswered500AndLogged(t *testing.T) {
	records, w := logged(t, request("GET", "/x"), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "half=done")
		var none []int
		_ = none[len(r.URL.Path)]
	})
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"internal"`) || strings.Contains(w.Body.String(), "index") || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("status %d, %v, %s", w.Code, w.Header(), w.Body)
	}
	if len(records) != 1 || records[0]["level"] != "ERROR" || records[0]["status"] != 500.0 || records[0]["err"] != "panic: runtime error: index out of range [2] with length 0" ||
		!strings.Contains(records[0]["stack"].(string), "TestPanicIsAnswered500AndLogged") {
		t.Errorf("records %v", records)
	}
}

func TestHalfAnAnswerIsCutOff(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"panic": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("half")); panic("x") },
		"error": edge.Handler(func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = w.Write([]byte("half"))
			return errors.New("x")
		}).ServeHTTP,
		"aborts": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			records, w := logged(t, request("GET", "/x"), h)
			if w.Body.String() != "half" || len(records) != 1 || records[0]["aborted"] != true || records[0]["status"] != 200.0 || records[0]["bytes"] != 4.0 {
				t.Errorf("body %q, records %v", w.Body, records)
			}
		})
	}
}

func TestMetricsHearOfEveryRequest(t *testing.T) {
	var results []edge.Result
	chain := whole(slog.New(slog.DiscardHandler), func(_ *edge.Record, _ *http.Request, res edge.Result) { results = append(results, res) })
	for _, h := range []http.HandlerFunc{
		func(http.ResponseWriter, *http.Request) {},
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(204) },
		func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
	} {
		func() {
			defer func() { _ = recover() }()
			chain(h).ServeHTTP(httptest.NewRecorder(), request("GET", "/"))
		}()
	}
	if len(results) != 3 || results[0].Status != 200 || results[1].Status != 204 || results[2].Status != 0 || !results[2].Aborted || results[0].Aborted {
		t.Errorf("results %+v", results)
	}
}

func TestEventCarriesTheRequest(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	edge.Event(t.Context(), log, edge.EventRefreshTokenReuse, slog.String("provider", "main"))
	if !strings.Contains(out.String(), `level=WARN msg="security event" event=refresh_token_reuse provider=main`) {
		t.Errorf("without a request: %s", out.String())
	}
	out.Reset()
	edge.RequestID()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		rec := edge.From(r.Context())
		rec.Subject, rec.Session, rec.ClientIP = "pseudonym", "abcdefgh", netip.MustParseAddr("192.0.2.7")
		edge.Event(context.WithoutCancel(r.Context()), log, edge.EventSignIn)
		if want := "level=INFO msg=\"security event\" event=sign_in id=" + rec.ID + " ip=192.0.2.7 subject=pseudonym session=abcdefgh\n"; !strings.HasSuffix(out.String(), want) {
			t.Errorf("got %s, want %s", out.String(), want)
		}
	})).ServeHTTP(httptest.NewRecorder(), request("GET", "/"))
}

// LOG-02
func TestPseudonymHidesTheSubjectAndKeepsIssuersApart(t *testing.T) {
	a, b, c := edge.Pseudonym("https://a", "alice"), edge.Pseudonym("https://b", "alice"), edge.Pseudonym("https://a", "bob")
	if a == b || a == c || a != edge.Pseudonym("https://a", "alice") || strings.Contains(a, "alice") || len(a) != 12 {
		t.Errorf("pseudonyms %q, %q, %q", a, b, c)
	}
}

func TestWithoutAChainThereIsARecordAnyway(t *testing.T) {
	edge.From(t.Context()).Reason = "nobody reads this"
}
