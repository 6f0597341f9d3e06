package bff

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloakroom/bff/edge"
	"cloakroom/configs"
	"cloakroom/proxy"
)

// ordersAPI describes what the upstream takes under /api.
const ordersAPI = `
openapi: 3.0.3
info: {title: Orders, version: "2"}
paths:
  /checked/orders:
    post:
      parameters: [{name: dry, in: query, schema: {type: boolean}}]
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
      responses: {"200": {description: stored, content: {application/json: {schema: {type: object, additionalProperties: false, properties: {method: {type: string}, target: {type: string}}}}}}}
    get: {responses: {"200": {description: all, content: {application/json: {schema: {type: array, items: {}}}}}}}
components:
  schemas:
    Order: {type: object, additionalProperties: false, required: [product], properties: {product: {type: string, maxLength: 10}, quantity: {type: integer, maximum: 100}}}
`

// checkedHouse has a route whose requests and answers are held against ordersAPI.
func checkedHouse(t *testing.T) *house {
	file := filepath.Join(t.TempDir(), "orders.yaml")
	if err := os.WriteFile(file, []byte(ordersAPI), 0o600); err != nil {
		t.Fatal(err)
	}
	return newHouse(t, func(c *configs.Config) {
		rt := c.Routes[0]
		rt.Path = "/checked/"
		rt.Request.OpenAPI, rt.Response.OpenAPI, rt.Response.Mode = file, file, "enforce"
		rt.Request.MaxChecked, rt.Response.MaxChecked = 1<<10, 1<<10
		c.Routes = append(c.Routes, rt)
	})
}

// VAL-01, VAL-03, ERR-01: the problem names each field, and neither log nor metric holds a value.
func TestAMisdescribedRequestIsExplained(t *testing.T) {
	h := checkedHouse(t)
	b := h.browser()
	b.signIn("/bff/login")
	const canary = "c4n4ry"
	for _, c := range []struct {
		name, path, body string
		status           int
		code, errors     string
	}{
		{"as described", "/checked/orders?dry=true", `{"product":"lamp"}`, 200, "", ""},
		{"fields", "/checked/orders", `{"product":"` + canary + `-` + canary + `","` + canary + `":1}`, 400, "invalid_request",
			`[{"pointer":"#/c4n4ry","detail":"is not a field of this object"},{"pointer":"#/product","detail":"must have at most 10 characters"}]`},
		{"a key twice", "/checked/orders", `{"product":"a","product":"` + canary + `"}`, 400, "invalid_request", `[{"pointer":"#/product","detail":"is there twice"}]`},
		{"a parameter", "/checked/orders?" + canary + "=1", `{"product":"a"}`, 400, "invalid_request", `[{"parameter":{"in":"query","name":"c4n4ry"},"detail":"is not a parameter of this operation"}]`},
		{"a path", "/checked/" + canary, `{}`, 404, "not_found", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := h.upstream.count()
			res := b.do("POST", c.path, strings.NewReader(c.body), "Sec-Fetch-Site", "same-origin", "Content-Type", "application/json")
			var doc struct {
				Code   string
				Status int
				Errors json.RawMessage
			}
			if err := json.Unmarshal([]byte(res.body), &doc); err != nil || res.StatusCode != c.status || doc.Code != c.code || string(doc.Errors) != c.errors {
				t.Errorf("got %d %s (%v)\nwant %d %s %s", res.StatusCode, res.body, err, c.status, c.code, c.errors)
			}
			if c.code != "" && (res.Header.Get("Content-Type") != "application/problem+json" || doc.Status != c.status || h.upstream.count() != before) {
				t.Errorf("%s %s, %d requests went on", res.Header.Get("Content-Type"), res.body, h.upstream.count()-before)
			}
		})
	}
	res := b.do("PUT", "/checked/orders", strings.NewReader("{}"), "Sec-Fetch-Site", "same-origin")
	if res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("another method: %d, Allow %s", res.StatusCode, res.Header.Get("Allow"))
	}
	res = b.do("POST", "/checked/orders", strings.NewReader("{}"), "Sec-Fetch-Site", "same-origin", "Content-Type", "text/plain")
	if res.StatusCode != 415 || !strings.Contains(res.body, `"code":"unsupported_media_type"`) {
		t.Errorf("another type: %d %s", res.StatusCode, res.body)
	}
	log, metrics := h.log.String(), h.metrics()
	if strings.Contains(strings.ReplaceAll(log, `"path":"/checked/`+canary, ""), canary) || strings.Contains(metrics, canary) {
		t.Errorf("a value is in the log or the metrics:\n%s", log)
	}
	for _, want := range []string{`"reason":"duplicate_key"`, `"err":"schema: #/components/schemas/Order/additionalProperties, #/components/schemas/Order/properties/product/maxLength"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	for _, want := range []string{
		`cloakroom_checks_total{message="request",result="ok",route="/checked/"} 1`,
		`cloakroom_checks_total{message="request",result="schema",route="/checked/"} 1`,
		`cloakroom_checks_total{message="request",result="undeclared_operation",route="/checked/"} 1`,
		`cloakroom_checks_total{message="response",result="ok",route="/checked/"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// VAL-05, ERR-02: nothing of an answer that is refused gets out, and a navigation gets a page without the request in it.
func TestAMisdescribedAnswerStaysHere(t *testing.T) {
	h := checkedHouse(t)
	b := h.browser()
	b.signIn("/bff/login")
	res := b.fetch("GET", "/checked/orders")
	if res.StatusCode != http.StatusBadGateway || !strings.Contains(res.body, `"code":"undescribed_answer"`) || strings.Contains(res.body, "target") || strings.Contains(res.body, "errors") {
		t.Errorf("got %d %s", res.StatusCode, res.body)
	}
	page := b.visit("/checked/orders?x=%3Cb%3E", "same-origin")
	if page.StatusCode != 400 || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || strings.Contains(page.body, "<b>") || strings.Contains(page.body, "is not a parameter") {
		t.Errorf("got %d %s", page.StatusCode, page.body)
	}
}

// The pure part: what a refusal becomes.
func TestRefusalsBecomeProblems(t *testing.T) {
	for status, code := range map[int]string{400: "invalid_request", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"} {
		p, ok := errors.AsType[*edge.Problem](upstreamProblem(&proxy.Refusal{Status: status, Reason: "x"}))
		if !ok || p.Code != code {
			t.Errorf("%d: %+v, want %s", status, p, code)
		}
	}
}
