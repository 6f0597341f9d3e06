package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"cloakroom/bff"
	"cloakroom/configs"
)

func testCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "test FILE...",
		Short: "Hold routes against what a team expects of them",
		Long: `Read files of expectations (this request, by this user, goes there) and say which do not hold. It is decided as explain does, by the
server's own code, and nobody is called: it is for a team's own CI. The exit code is 1 if one does not hold.`,
		Args: between(1, math.MaxInt, "name files of expectations, as in cloakroom test routes_test.yaml"),
	}
	path := configFlag(c)
	c.RunE = func(c *cobra.Command, files []string) error {
		cfg, err := configs.Load(*path)
		if err != nil {
			return err
		}
		e, err := bff.NewExplainer(cfg)
		if err != nil {
			return err
		}
		defer e.Close()
		failed, all := 0, 0
		var broken []error
		for _, file := range files {
			x, err := configs.LoadExpectations(file)
			if err != nil {
				broken = append(broken, err)
				continue
			}
			failed += compare(c.OutOrStdout(), e, x)
			all += len(x.Tests)
		}
		if len(broken) > 0 {
			return errors.Join(broken...)
		}
		if failed > 0 {
			return failure{fmt.Errorf("%d of %s failed", failed, count(all, "test"))}
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", count(all, "test"))
		return nil
	}
	return c
}

// compare runs the tests of one file, prints those that fail, and returns how many.
func compare(w io.Writer, e *bff.Explainer, x *configs.Expectations) (failed int) {
	for i, t := range x.Tests {
		got := e.Ask(t.Request, x)
		differences := got.Differs(t.Expect)
		if len(differences) == 0 {
			continue
		}
		failed++
		file, line := x.Place(i)
		fmt.Fprintf(w, "%s:%d: %s\n  %s, from %s, %s\n", file, line, t.Name, got.Request, t.Request.Sender(), asker(t.Request))
		for _, d := range differences {
			fmt.Fprintf(w, "    %s\n      - want %s\n      + got  %s\n", d.What, d.Want, d.Got)
		}
		fmt.Fprintln(w, "  because")
		printSteps(w, "    ", got.Steps)
		fmt.Fprintln(w)
	}
	return failed
}

// asker is who makes a request.
func asker(r configs.ExpectedRequest) string {
	var who []string
	if r.As != "" {
		who = append(who, "as "+r.As)
	}
	if r.Caller != "" {
		who = append(who, "with the credential of "+r.Caller)
	}
	if len(who) == 0 {
		return "nobody signed in"
	}
	return strings.Join(who, ", ")
}
