package e2e

import (
	"slices"
	"sync"
	"time"

	"cloakroom/e2e/up"
)

// What befell replicas, as sends remember it.
const (
	killed  = "replica killed"
	stopped = "replica stopped"
)

// patience is the replicas' with the provider, lease how long a refresh is locked for a replica that does not go on: ten seconds more.
const (
	patience = 3 * time.Second
	lease    = patience + 10*time.Second
)

// family is one sign-in: its refresh tokens come from each other.
type family struct {
	sub   string
	sends []*send
}

// send is one refresh token that a replica sent.
type send struct {
	family *family
	n      int
	token  string // thumbprint
	by     string
	at     time.Time
	fault  fault
	trap   *trap
	before bool // trapped before the provider saw it

	asked     bool // the provider was
	refused   bool // and said invalid_grant
	access    string
	given     string    // the next refresh token's thumbprint
	gone      time.Time // when the replica was, before its answer
	over      bool      // nothing is open: what it brought was stored and used, or it brought nothing
	struck    string    // what befell the replica meanwhile
	afterStop bool      // sent by a replica that had been stopped while another sent the same
}

// lost tells whether the replica cannot have learned what the provider did.
func (s *send) lost() bool { return s.asked && (s.fault.lost() || s.struck != "") }

// unknown tells whether the replicas cannot know what became of the token.
func (s *send) unknown() bool { return s.fault.unknown() || s.struck != "" }

// why is what befell the refresh.
func (s *send) why() string {
	if s.struck != "" && !s.fault.unknown() {
		return s.struck
	}
	return string(s.fault)
}

// trap catches refreshes of one replica in their midst, so that what befalls the replica befalls them.
type trap struct {
	room   int
	kills  bool
	caught chan struct{}
	struck chan struct{} // closed when the replica is
	over   chan struct{} // closed when it goes on, or is no more
}

// book is what front knows of all refreshes.
type book struct {
	mu       sync.Mutex
	next     string // the replica that is being started
	calm     bool   // no more faults
	families map[string]*family
	tokens   map[string]*family // by thumbprints of refresh tokens
	bearers  map[string]*send   // by thumbprints of access tokens
	sends    []*send
	traps    map[string]*trap
	stops    map[string]span // when a replica was stopped last
	dead     map[string]bool // replicas that were killed
}

func newBook() *book {
	return &book{
		families: map[string]*family{}, tokens: map[string]*family{}, bearers: map[string]*send{},
		traps: map[string]*trap{}, stops: map[string]span{}, dead: map[string]bool{},
	}
}

func (b *book) starting() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

func (b *book) start(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next = name
}

// calmDown ends the faults.
func (b *book) calmDown() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calm = true
}

// signedIn notes the first refresh token of a family.
func (b *book) signedIn(sub, token string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := &family{sub: sub}
	b.families[sub], b.tokens[token] = f, f
}

// arrive notes that a replica sent a token; nil if nobody was given it.
func (b *book) arrive(by, token string) *send {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.tokens[token]
	if f == nil {
		return nil
	}
	s := &send{family: f, n: len(f.sends) + 1, token: token, by: by, at: time.Now()}
	if b.dead[by] { // what it sent last was still on its way
		s.struck = killed
	}
	// A replica that was stopped just before it sent does so when it goes on, if it is not faster to see that it is late.
	if stop := b.stops[by]; s.at.Before(stop.to.Add(patience)) {
		s.afterStop = slices.ContainsFunc(f.sends, func(o *send) bool {
			return o.token == token && o.by != by && o.access != "" && o.at.After(stop.from) && o.at.Before(stop.to)
		})
	}
	for _, o := range f.sends {
		o.over = o.over || o.given == token // else nobody would have it
	}
	f.sends = append(f.sends, s)
	b.sends = append(b.sends, s)
	return s
}

// meet decides what happens to a refresh: its fault, or else the trap of its replica, if there is one.
func (b *book) meet(s *send, drawn fault, before bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calm {
		return
	}
	if s.fault = drawn; drawn != none {
		return
	}
	if t := b.traps[s.by]; t != nil && t.room > 0 {
		t.room--
		s.trap, s.before = t, before
	}
}

// forwarded notes the provider's answer.
func (b *book) forwarded(s *send, status int, g grant) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.asked, s.refused = true, g.Error == "invalid_grant"
	if status != 200 {
		return
	}
	s.access, s.given = up.Thumbprint(g.Access), up.Thumbprint(g.Refresh)
	b.bearers[s.access], b.tokens[s.given] = s, s.family
}

// answered notes that the replica has its answer.
func (b *book) answered(s *send) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.over = s.access == "" || s.fault == hidden
}

// left notes that the replica is gone.
func (b *book) left(s *send) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.gone = time.Now()
}

// used notes that an upstream has seen an access token: so it was stored.
func (b *book) used(access string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.bearers[access]; s != nil {
		s.over = true
	}
}

// since reports whether an access token came of a refresh that was sent after a time.
func (b *book) since(access string, at time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.bearers[access]
	return s != nil && s.at.After(at)
}

// set lays a trap for a replica.
func (b *book) set(by string, kills bool) *trap {
	const room = 3
	t := &trap{room: room, kills: kills, caught: make(chan struct{}, room), struck: make(chan struct{}), over: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.traps[by] = t
	return t
}

// shut lets nothing more into a replica's trap.
func (b *book) shut(by string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.traps, by)
}

// stop notes when a replica is stopped.
func (b *book) stop(by string, s span) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stops[by] = s
}

// strike notes what befell a replica from a time on, with all its refreshes that are open, or were a moment ago: it had no time to log what it thought of them.
func (b *book) strike(by, what string, from time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dead[by] = what == killed
	for _, s := range b.sends {
		if s.by == by && !s.over && s.struck == "" && (s.gone.IsZero() || s.gone.After(from.Add(-time.Second))) {
			s.struck = what
		}
	}
}
