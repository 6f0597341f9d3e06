package configs

import (
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Slips of the pen in a request that somebody asks about are mistakes of the question: what a server would say to them is not what was to be found out.

// MethodProblem says why a client sends no such method, or "".
func MethodProblem(method string) string {
	known := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	switch upper := strings.ToUpper(method); {
	case strings.HasPrefix(method, "/"):
		return fmt.Sprintf("%q is a path where the method should be; write the method first, as in GET %s", method, method)
	case !httpguts.ValidHeaderFieldName(method):
		return fmt.Sprintf("%q is no method; write one such as GET", method)
	case upper != method && contains(known, upper):
		return fmt.Sprintf("%q is not %s, because methods are told apart by case; write %s", method, upper, upper)
	}
	return ""
}

// TargetProblem says why a client sends no such path, or "".
func TargetProblem(target string) string {
	u, err := url.Parse(target)
	switch {
	case strings.ContainsAny(target, " \t\r\n"):
		return fmt.Sprintf("%q has a blank, which no client sends; write it as %%20, or write method and path apart", target)
	case err == nil && u.Host != "" && u.Scheme != "":
		return fmt.Sprintf("%q is a whole URL; write its path, %s", target, u.RequestURI())
	case !strings.HasPrefix(target, "/"):
		return fmt.Sprintf("%q must start with /", target)
	}
	return ""
}

// HeaderProblem says why a client sends no such header, or "".
func HeaderProblem(name, value string) string {
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return fmt.Sprintf("%q is no name of a header, which has letters, digits and hyphens", name)
	case !httpguts.ValidHeaderFieldValue(value):
		return fmt.Sprintf("the value of %s has a control character", name)
	case strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Transfer-Encoding"):
		return name + " is said by the body; give that"
	}
	return ""
}
