package session

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// content is a session as it is stored, inside the seal. It is JSON because claims are, and because a
// record is decoded once per change and process (copies.go), not once per request. Times are
// milliseconds since 1970, 0 is none. The deadline is not here: it is in the seal's plain part.
//
// A field may be added; one that changes its meaning needs a new sealFormat. Version N of the program reads
// formats N-1 and N, and writes N-1 until every replica runs N.
type content struct {
	Handle          string         `json:"h"`
	Provider        string         `json:"p"`
	Issuer          string         `json:"i"`
	Subject         string         `json:"s"`
	ProviderSession string         `json:"ps,omitempty"`
	Nonce           string         `json:"n,omitempty"`
	ACR             string         `json:"acr,omitempty"`
	IssuedAt        int64          `json:"iat,omitempty"`
	AuthTime        int64          `json:"at,omitempty"`
	Created         int64          `json:"c"`
	Claims          map[string]any `json:"cl,omitempty"`
	Roles           []string       `json:"r,omitempty"`
	Scopes          []string       `json:"sc,omitempty"`
	Browser         string         `json:"b,omitempty"`
	Address         string         `json:"a,omitempty"`
	Access          string         `json:"ta,omitempty"`
	Refresh         string         `json:"tr,omitempty"`
	IDToken         string         `json:"ti,omitempty"`
	Scope           string         `json:"ts,omitempty"`
	TokenIssued     int64          `json:"tb,omitempty"`
	TokenExpires    int64          `json:"te,omitempty"`
	Attempt         *attempt       `json:"try,omitempty"`
	Grants          []grant        `json:"g,omitempty"`
	Resources       []string       `json:"rs,omitempty"`
}

// attempt is an Attempt as it is stored.
type attempt struct {
	ID       string `json:"i"`
	Deadline int64  `json:"d"`
	Repeats  int    `json:"r,omitempty"`
	Lost     bool   `json:"l,omitempty"`
}

// grant is a Grant as it is stored.
type grant struct {
	Key     string `json:"k"`
	Access  string `json:"t"`
	Issued  int64  `json:"b"`
	Expires int64  `json:"e"`
}

// encode makes the content that is sealed.
func encode(s *Session) ([]byte, error) {
	c := content{
		Handle: s.Handle, Provider: s.Provider, Issuer: s.Issuer, Subject: s.Subject,
		ProviderSession: s.ProviderSession, Nonce: s.Nonce, ACR: s.ACR,
		IssuedAt: millis(s.IssuedAt), AuthTime: millis(s.AuthTime), Created: millis(s.Created),
		Claims: s.Claims, Roles: s.Roles, Scopes: s.Scopes, Browser: s.Browser, Address: s.Address,
		Access: s.Tokens.Access, Refresh: s.Tokens.Refresh, IDToken: s.Tokens.ID, Scope: s.Tokens.Scope,
		TokenIssued: millis(s.Tokens.Issued), TokenExpires: millis(s.Tokens.Expires), Resources: s.Resources,
	}
	if a := s.Attempt; a != nil {
		c.Attempt = &attempt{ID: a.ID, Deadline: millis(a.Deadline), Repeats: a.Repeats, Lost: a.Lost}
	}
	for _, g := range s.Grants {
		c.Grants = append(c.Grants, grant{Key: g.Key, Access: g.Access, Issued: millis(g.Issued), Expires: millis(g.Expires)})
	}
	b, err := json.Marshal(c)
	if err != nil {
		// The error is not wrapped: it may quote a claim.
		return nil, fmt.Errorf("encode session: claims are not JSON")
	}
	return b, nil
}

// decode undoes encode. Numbers in claims stay json.Number, so that none loses digits. The error is errContent: it says nothing of the bytes.
func decode(b []byte) (*Session, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var c content
	if err := d.Decode(&c); err != nil || d.InputOffset() != int64(len(b)) {
		return nil, errContent
	}
	s := &Session{
		Handle: c.Handle, Provider: c.Provider, Issuer: c.Issuer, Subject: c.Subject,
		ProviderSession: c.ProviderSession, Nonce: c.Nonce, ACR: c.ACR,
		IssuedAt: fromMillis(c.IssuedAt), AuthTime: fromMillis(c.AuthTime), Created: fromMillis(c.Created),
		Claims: c.Claims, Roles: c.Roles, Scopes: c.Scopes, Browser: c.Browser, Address: c.Address,
		Tokens: Tokens{
			Access: c.Access, Refresh: c.Refresh, ID: c.IDToken, Scope: c.Scope,
			Issued: fromMillis(c.TokenIssued), Expires: fromMillis(c.TokenExpires),
		},
		Resources: c.Resources,
	}
	if a := c.Attempt; a != nil {
		s.Attempt = &Attempt{ID: a.ID, Deadline: fromMillis(a.Deadline), Repeats: a.Repeats, Lost: a.Lost}
	}
	for _, g := range c.Grants {
		s.Grants = append(s.Grants, Grant{Key: g.Key, Access: g.Access, Issued: fromMillis(g.Issued), Expires: fromMillis(g.Expires)})
	}
	return s, nil
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// frame is what passes between scs' codec and scs' store: the content with what the store needs beside it.
// Only the content is ever sealed and stored.
type frame struct {
	version  uint64  // the version that was read; 0 for a session that is not stored yet
	write    WriteID // names this write
	deadline time.Time
	content  []byte
}

const frameHead = 8 + len(WriteID{}) + 8

func (f frame) marshal() []byte {
	b := make([]byte, 0, frameHead+len(f.content))
	b = binary.BigEndian.AppendUint64(b, f.version)
	b = append(b, f.write[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(f.deadline.UnixMilli()))
	return append(b, f.content...)
}

func parseFrame(b []byte) (frame, error) {
	if len(b) < frameHead {
		return frame{}, errContent
	}
	return frame{
		version:  binary.BigEndian.Uint64(b),
		write:    WriteID(b[8:]),
		deadline: time.UnixMilli(int64(binary.BigEndian.Uint64(b[frameHead-8:]))).UTC(),
		content:  b[frameHead:],
	}, nil
}
