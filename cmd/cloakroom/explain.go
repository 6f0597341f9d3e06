package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloakroom/bff"
	"cloakroom/configs"
)

// asked are the flags of the request that is asked about.
type asked struct {
	from, as, caller, body, resource, opa, now, clientIP string
	headers                                              []string
}

func explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain [METHOD] PATH",
		Short: "Say what becomes of a request, and why",
		Long: `Say which route a request belongs to and why that one, what is decided on the way, and what the upstream would get. It is decided
by the server's own code, but nothing is sent: no session is read, nobody is called. Tokens are placeholders.

  cloakroom explain GET /api/orders/7 --as alice.json
  cloakroom explain POST /api/orders/ --as alice.json --body order.json
  cloakroom explain DELETE /api/documents/7 --as alice.json --resource draft.json --now 2026-11-23T10:00:00+01:00
  cloakroom explain GET /api/orders/7 --caller importer.yaml

--as names a JSON file with the claims of an ID token: the request is then by this user, signed in at the default provider. --caller names a file with a caller that has
a credential of its own: {kind: api_key, sub: importer, scopes: [orders.read]}.`,
		Args: between(1, 2, "write a method and a path, as in cloakroom explain GET /api/orders/7"),
	}
	path := configFlag(c)
	var a asked
	c.Flags().StringVar(&a.as, "as", "", "the claims of the user who is signed in, a JSON file; default: nobody is")
	c.Flags().StringVar(&a.caller, "caller", "", "the caller who comes without a session, a file with kind, sub, roles, scopes or claims; default: nobody does")
	c.Flags().StringVar(&a.from, "from", "", "who asks: a script of the app, a navigation, a script of an other_site, or nowhere for a client that does not say; default: the app, or nowhere for a caller")
	c.Flags().StringArrayVarP(&a.headers, "header", "H", nil, "a header of the request, 'Name: value'; may be repeated")
	c.Flags().StringVar(&a.body, "body", "", "a file with the request's body, application/json where no --header says another Content-Type; default: it is not looked at")
	c.Flags().StringVar(&a.resource, "resource", "", "what the route's resource is, a JSON file, or none where there is no such thing; default: what the rules want")
	c.Flags().StringVar(&a.opa, "opa", "", "what agents say, allow or deny; default: they are taken to allow")
	c.Flags().StringVar(&a.now, "now", "", "the time of the request, such as 2026-11-23T10:00:00+01:00; default: this moment")
	c.Flags().StringVar(&a.clientIP, "client-ip", "", "the client's address; default: 192.0.2.1")
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		req, err := a.request(args)
		if err != nil {
			return err
		}
		cfg, err := configs.Load(*path)
		if err != nil {
			return err
		}
		e, err := bff.NewExplainer(cfg)
		if err != nil {
			return err
		}
		defer e.Close()
		x := e.Explain(req)
		if *asJSON {
			return printJSON(c.OutOrStdout(), x)
		}
		printExplanation(c.OutOrStdout(), x)
		return nil
	}
	return c
}

// request is what the command line asks about.
func (a asked) request(args []string) (bff.Request, error) {
	req := bff.Request{Method: http.MethodGet, Target: args[len(args)-1], OPA: a.opa, NoResource: a.resource == "none"}
	if len(args) == 2 {
		req.Method = args[0]
	}
	if problem := cmp.Or(configs.MethodProblem(req.Method), configs.TargetProblem(req.Target)); problem != "" {
		return req, errors.New(problem)
	}
	if !slices.Contains([]string{"", "app", "navigation", "other_site", "nowhere"}, a.from) {
		return req, fmt.Errorf("--from %q: write app, navigation, other_site or nowhere", a.from)
	}
	if !slices.Contains([]string{"", bff.OPAAllows, bff.OPADenies}, a.opa) {
		return req, fmt.Errorf("--opa %q: write allow or deny", a.opa)
	}
	req.Header = bff.From(configs.ExpectedRequest{From: a.from, Caller: a.caller}.Sender())
	if err := addHeaders(req.Header, a.headers); err != nil {
		return req, err
	}
	return req, a.read(&req)
}

// read reads what the other flags name.
func (a asked) read(req *bff.Request) (err error) {
	for _, flag := range []struct {
		value string
		read  func(string) error
	}{
		{a.body, func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("--body: %w", err)
			}
			req.Carry(data)
			return nil
		}},
		{a.as, func(path string) error { req.Claims, err = readClaims(path); return err }},
		{a.caller, func(path string) error {
			c, err := configs.LoadCaller(path)
			if err != nil {
				return err
			}
			req.Caller = bff.Described(c)
			return nil
		}},
		{a.resource, func(path string) error { req.Resource, err = readResource(path); return err }},
		{a.now, func(text string) error {
			if req.Now, err = time.Parse(time.RFC3339, text); err != nil {
				return fmt.Errorf("--now %q: write a time such as 2026-11-23T10:00:00+01:00", text)
			}
			return nil
		}},
		{a.clientIP, func(text string) error {
			if req.Client, err = netip.ParseAddr(text); err != nil {
				return fmt.Errorf("--client-ip %q: write an address such as 10.0.0.7", text)
			}
			return nil
		}},
	} {
		if flag.value == "" {
			continue
		}
		if err := flag.read(flag.value); err != nil {
			return err
		}
	}
	return nil
}

// readResource reads what a route's resource is; `none` is no file.
func readResource(path string) (map[string]any, error) {
	if path == "none" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--resource: %w", err)
	}
	found, err := bff.ParseResource(data)
	if err != nil {
		return nil, fmt.Errorf("--resource %s: %w", path, err)
	}
	return found, nil
}

// addHeaders adds those of the command line. What they say themselves stands in the place of what --from would say.
func addHeaders(to http.Header, lines []string) error {
	own := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return fmt.Errorf("--header %q: write 'Name: value'", line)
		}
		value = strings.TrimSpace(value)
		if problem := configs.HeaderProblem(name, value); problem != "" {
			return fmt.Errorf("--header %q: %s", line, problem)
		}
		own.Add(name, value)
	}
	maps.Copy(to, own)
	return nil
}

// readClaims reads the claims of a user.
func readClaims(path string) (claims map[string]any, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--as: %w", err)
	}
	err = json.Unmarshal(data, &claims)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, fmt.Errorf("--as %s:%d: %w; it is to be a JSON object, such as {\"sub\": \"alice\"}", path, 1+strings.Count(string(data[:min(int(syntax.Offset), len(data))]), "\n"), err)
	}
	if err != nil || claims == nil {
		return nil, fmt.Errorf("--as %s: is no JSON object, such as {\"sub\": \"alice\"}", path)
	}
	if sub, ok := claims["sub"].(string); !ok || sub == "" {
		return nil, fmt.Errorf("--as %s: has no \"sub\" that is text, as every ID token has; add, for example, \"sub\": \"alice\"", path)
	}
	return claims, nil
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return failure{errors.New("the answer could not be written")}
	}
	return nil
}

// printExplanation is the explanation for people.
func printExplanation(w io.Writer, x bff.Explanation) {
	fmt.Fprintf(w, "%s\n\n", x.Request)
	if x.Route != nil {
		fmt.Fprintf(w, "route %s%s\n", x.Route.Path, place(*x.Route))
	}
	for _, o := range x.Others {
		fmt.Fprintf(w, "  not %s%s: %s\n", o.Path, place(o), o.Why)
	}
	if x.Route != nil || len(x.Others) > 0 {
		fmt.Fprintln(w)
	}
	printSteps(w, "", x.Steps)
	fmt.Fprintf(w, "\n%s\n", outcome(x))
	if x.Upstream != "" {
		printRequest(w, x.Method, x.Upstream, x.Headers)
	}
	for _, name := range slices.Sorted(maps.Keys(x.Legs)) {
		fmt.Fprintf(w, "\n%s", name)
		printRequest(w, x.Method, x.Legs[name].Upstream, x.Legs[name].Headers)
	}
}

// printRequest is a request as an upstream gets it.
func printRequest(w io.Writer, method, url string, headers http.Header) {
	fmt.Fprintf(w, "\n  %s %s\n", method, url)
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		for _, value := range headers[name] {
			fmt.Fprintf(w, "  %s: %s\n", name, value)
		}
	}
}

func printSteps(w io.Writer, indent string, steps []bff.Step) {
	for _, s := range steps {
		fmt.Fprintf(w, "%s%s  %-11s %s\n", indent, mark(s), s.Name, s.Reason)
		if s.Input != nil {
			fmt.Fprintf(w, "%s      %-11s %s\n", indent, "", s.Input)
		}
	}
}

// mark says at a glance what a step did: note is what is only reported, ask what others would have to say.
func mark(s bff.Step) string {
	switch {
	case !s.Passes:
		return "stop"
	case s.Reported:
		return "note"
	case s.Asked:
		return "ask "
	}
	return "ok  "
}

// place is where a route stands, in brackets.
func place(r bff.ExplainedRoute) string {
	if r.File == "" {
		return ""
	}
	return fmt.Sprintf(" (%s:%d)", r.File, r.Line)
}

// outcome is the verdict, with the status that the client gets.
func outcome(x bff.Explanation) string {
	text := x.Verdict
	if x.Status != 0 {
		text += fmt.Sprintf(", %d %s", x.Status, http.StatusText(x.Status))
	}
	if x.Code != "" {
		text += " (" + x.Code + ")"
	}
	if x.Rule != "" {
		text += ", by " + x.Rule
	}
	return text
}
