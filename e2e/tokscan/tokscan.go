// Package tokscan looks for credentials where they must not be.
//
// A test run learns two things on the way: the secrets that exist (tokens, codes, verifiers, tickets, client secrets)
// and everything that could be seen (answers, cookies, pages, frames, log lines, metrics, the store's dump). At its end
// a Corpus searches the second for the first: in plain, URL-encoded, in hex, and in base64 of either alphabet in
// all three alignments, so that a secret inside a larger encoded value is found too.
package tokscan

import (
	"bytes"
	"fmt"
	"regexp"
	"sync"
)

// Source says where something was seen.
type Source string

// The sources that a run records.
const (
	Answer  Source = "answer"  // what a browser was sent: status line, headers, cookies, body, frames
	Page    Source = "page"    // what a browser shows and stores
	Log     Source = "log"     // the replicas' log lines
	Metrics Source = "metrics" // what the admin listener answers
	Store   Source = "store"   // Redis: each command, and the dump
)

// Shortest is the length below which a secret is not searched for: shorter values turn up by chance.
const Shortest = 12

// Finding is one secret that was seen.
type Finding struct {
	// Kind names the secret, such as "refresh token". The value itself is never printed.
	Kind string
	// Form is how it was encoded.
	Form string
	// Source and Where tell what held it.
	Source Source
	Where  string
}

// String names the finding without repeating the secret.
func (f Finding) String() string {
	return fmt.Sprintf("%s in %s form, seen in %s: %s", f.Kind, f.Form, f.Source, f.Where)
}

// record is one thing that was seen.
type record struct {
	source Source
	where  string
	data   []byte
}

// secret is one value and where it may be seen all the same.
type secret struct {
	kind    string
	allowed []Source
}

// Corpus holds what a run saw and knows. It is safe for concurrent use.
type Corpus struct {
	mu      sync.Mutex
	records []record
	secrets map[string]secret
}

// New returns an empty corpus.
func New() *Corpus {
	return &Corpus{secrets: make(map[string]secret)}
}

// Learn adds a secret that must be seen nowhere but in the allowed sources. Values shorter than Shortest are ignored.
func (c *Corpus) Learn(kind, value string, allowed ...Source) {
	if len(value) < Shortest {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[value] = secret{kind: kind, allowed: allowed}
}

// See adds something that was seen. Where names it in a finding: a request's method and path, a replica, a key.
func (c *Corpus) See(source Source, where string, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records = append(c.records, record{source, where, bytes.Clone(data)})
}

// Count returns how many records of a source and how many secrets of each kind there are.
func (c *Corpus) Count() (records map[Source]int, secrets map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	records, secrets = make(map[Source]int), make(map[string]int)
	for _, r := range c.records {
		records[r.source]++
	}
	for _, s := range c.secrets {
		secrets[s.kind]++
	}
	return records, secrets
}

// jwt is how any JSON Web Token starts, also one that nobody told us about.
var jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.`)

// Scan returns what was seen although it must not be. One finding per secret, form and place.
func (c *Corpus) Scan() []Finding {
	c.mu.Lock()
	defer c.mu.Unlock()
	index := newIndex()
	for value, s := range c.secrets {
		for _, f := range forms(value) {
			index.add(f.text, pattern{secret: s, form: f.name})
		}
	}
	seen := make(map[Finding]bool)
	var found []Finding
	report := func(f Finding) {
		if !seen[f] {
			seen[f] = true
			found = append(found, f)
		}
	}
	for _, r := range c.records {
		index.search(r.data, func(p pattern) {
			if !contains(p.secret.allowed, r.source) {
				report(Finding{p.secret.kind, p.form, r.source, r.where})
			}
		})
		if (r.source == Answer || r.source == Page) && jwt.Match(r.data) {
			report(Finding{"something like a JSON Web Token", "plain", r.source, r.where})
		}
	}
	return found
}

func contains(list []Source, s Source) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}
