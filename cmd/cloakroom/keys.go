package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"cloakroom/bff"
	"cloakroom/configs"
)

func keysCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "Make, list and revoke API keys",
		Long: `Make, list and revoke the API keys of callers without a session (callers.api_key). They are kept in session.redis, as hashes: whoever runs
these commands needs no server, only Redis.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("say what to do: keys new, keys list or keys revoke")
		},
	}
	c.AddCommand(keysNewCommand(), keysListCommand(), keysRevokeCommand())
	return c
}

func keysNewCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "new NAME",
		Short: "Make an API key, and print it once",
		Long: `Make an API key and print it on standard output, once: nothing keeps it. NAME is for people, such as the team that uses it.

  cloakroom keys new billing --scope orders.read --expires 90d`,
		Args: cobra.ExactArgs(1),
	}
	path := configFlag(c)
	roles := c.Flags().StringArray("role", nil, "a role that callers with the key have; may be repeated")
	scopes := c.Flags().StringArray("scope", nil, "a scope that the key has; may be repeated")
	expires := c.Flags().String("expires", "365d", "when it ends: a day such as 2027-01-31, a time from now such as 90d or 12h, or never")
	c.RunE = func(c *cobra.Command, args []string) error {
		k := bff.APIKey{Name: args[0], Roles: *roles, Scopes: *scopes}
		var err error
		if k.Expires, err = expiry(*expires, time.Now()); err != nil {
			return err
		}
		if problem := k.Problem(); problem != "" {
			return errors.New(problem)
		}
		return withKeys(*path, func(ring *bff.KeyRing) error { return printNewKey(c, ring, k) })
	}
	return c
}

func printNewKey(c *cobra.Command, ring *bff.KeyRing, k bff.APIKey) error {
	text, made, err := ring.New(c.Context(), k)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c.OutOrStdout(), text); err != nil {
		_, err = ring.Revoke(c.Context(), made.ID) // nobody has it
		return errors.Join(failure{errors.New("the key could not be printed")}, err)
	}
	fmt.Fprintf(c.ErrOrStderr(), "API key %s, %q, ends %s. It is shown only now.\n", made.ID, made.Name, day(made.Expires))
	return nil
}

func keysListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the API keys", Args: cobra.NoArgs}
	path := configFlag(c)
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withKeys(*path, func(ring *bff.KeyRing) error {
			all, err := ring.List(c.Context())
			if err != nil && len(all) == 0 {
				return err
			}
			if *asJSON {
				return errors.Join(printJSON(c.OutOrStdout(), listed(all)), err)
			}
			printKeys(c.OutOrStdout(), all)
			return err
		})
	}
	return c
}

// listedKey is a key as `keys list --json` prints it.
type listedKey struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Roles   []string   `json:"roles"`
	Scopes  []string   `json:"scopes"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires"` // null is never
}

func listed(all []bff.APIKey) []listedKey {
	list := make([]listedKey, 0, len(all))
	for _, k := range all {
		l := listedKey{ID: k.ID, Name: k.Name, Roles: append([]string{}, k.Roles...), Scopes: append([]string{}, k.Scopes...), Created: k.Created}
		if !k.Expires.IsZero() {
			l.Expires = &k.Expires
		}
		list = append(list, l)
	}
	return list
}

func printKeys(w io.Writer, all []bff.APIKey) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tNAME\tROLES\tSCOPES\tMADE\tENDS")
	for _, k := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, strings.Join(k.Roles, ","), strings.Join(k.Scopes, ","), day(k.Created), day(k.Expires))
	}
	t.Flush() // a terminal that went away is nobody to tell
}

func keysRevokeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "revoke ID...",
		Short: "Revoke API keys",
		Long:  `Revoke API keys by their IDs, or by themselves where they have been found somewhere. Every server refuses them within a second.`,
		Args:  cobra.MinimumNArgs(1),
	}
	path := configFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withKeys(*path, func(ring *bff.KeyRing) error {
			var all []error
			for _, key := range args {
				id, err := ring.Revoke(c.Context(), key)
				switch {
				case errors.Is(err, bff.ErrNoKey):
					all = append(all, fmt.Errorf("%q: %w; keys list shows all", id, err))
				case err != nil:
					all = append(all, err)
				default:
					fmt.Fprintf(c.OutOrStdout(), "revoked %s\n", id)
				}
			}
			return errors.Join(all...)
		})
	}
	return c
}

// withKeys opens the keys of a configuration. What goes wrong then has failed while running.
func withKeys(path string, use func(*bff.KeyRing) error) error {
	cfg, err := configs.Load(path)
	if err != nil {
		return err
	}
	ring, err := bff.OpenKeys(cfg)
	if err != nil {
		return err
	}
	err = use(ring)
	if closing := ring.Close(); err == nil && closing != nil {
		err = closing
	}
	if err != nil {
		return failure{err}
	}
	return nil
}

// expiry reads when a key ends; zero is never.
func expiry(text string, now time.Time) (time.Time, error) {
	if text == "never" {
		return time.Time{}, nil
	}
	if on, err := time.Parse(time.DateOnly, text); err == nil {
		return future(on.AddDate(0, 0, 1), text, now) // that day included, in UTC
	}
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("--expires %q: write a day such as 2027-01-31, a time from now such as 90d or 12h, or never", text)
	}
	return future(now.Add(d).UTC().Truncate(time.Second), text, now)
}

func future(at time.Time, text string, now time.Time) (time.Time, error) {
	if !at.After(now) {
		return time.Time{}, fmt.Errorf("--expires %q: is over already", text)
	}
	return at, nil
}

// day is when something was made or ends.
func day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}
