package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// ErrNoResource is a resource that is not there, or not for this user: a refusal, not an outage.
var ErrNoResource = errors.New("there is no such resource")

// Bounds of a resource.
const (
	maxResource = 1 << 20 // bytes
	maxNesting  = 32
)

// ParseResource reads a resource: one JSON object, in which no member comes twice. Its numbers stay as they were written.
func ParseResource(body []byte) (map[string]any, error) {
	v, err := strictJSON(body, maxResource)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("is no JSON object")
	}
	return object, nil
}

// strictJSON reads the one value that body is. What two readers could understand in different ways is an error; the error quotes nothing.
func strictJSON(body []byte, longest int) (any, error) {
	if len(body) > longest {
		return nil, fmt.Errorf("is longer than %d bytes", longest)
	}
	if !utf8.Valid(body) {
		return nil, errors.New("is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	v, err := strictValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("has something behind its value")
	}
	return v, nil
}

var errJSON = errors.New("is no JSON")

func strictValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, errJSON
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == maxNesting {
		return nil, fmt.Errorf("is nested more than %d deep", maxNesting)
	}
	if delim == '[' {
		return strictList(d, depth)
	}
	return strictObject(d, depth)
}

func strictList(d *json.Decoder, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := strictValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if _, err := d.Token(); err != nil {
		return nil, errJSON
	}
	return list, nil
}

func strictObject(d *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errJSON
		}
		if _, twice := object[name]; twice {
			return nil, errors.New("has a member twice")
		}
		if object[name], err = strictValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errJSON
	}
	return object, nil
}
