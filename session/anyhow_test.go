package session

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhateverHappensToTheAnnouncements plays random seconds: sessions start, are used, refreshed and ended here and there, while the subscription breaks, hangs, comes late or loses
// pongs. No request that begins later than staleness after an acknowledged end is served; one that begins after the end was heard is not, either; and none
// is refused whose session lives. Tokens are no older, either.
func TestWhateverHappensToTheAnnouncements(t *testing.T) {
	const staleness = time.Second
	random := newSeed(t)
	served, refused, copied := 0, 0, 0
	for range 100 {
		watching(t, staleness, func(t *testing.T, p *pair) {
			type user struct {
				s       *Session
				r       *http.Request
				ended   time.Time
				token   int // the newest
				changed time.Time
			}
			var users []*user
			p.idp.answer = func(_ context.Context, _ *Session, call int) (Refreshed, error) {
				return Refreshed{Tokens: Tokens{Access: strconv.Itoa(call), Expires: time.Now().Add(24 * time.Hour)}}, nil
			}
			for range 300 {
				if random.IntN(20) == 0 || len(users) == 0 {
					s := alice(24 * time.Hour)
					users = append(users, &user{s: s, r: p.other.signIn(t, s)})
				}
				if ear := p.st.ear(); ear != nil {
					switch random.IntN(25) {
					case 0:
						ear.set(func() { ear.held = !ear.held })
					case 1:
						ear.set(func() { ear.deaf = true })
					case 2:
						ear.set(func() { ear.dropped = func(e Event) bool { return e.Pong != "" } })
					case 3:
						select {
						case <-ear.broken:
						default:
							ear.snap()
						}
					}
				}
				u := users[len(users)-1-random.IntN(min(5, len(users)))] // the others have ended
				switch random.IntN(10) {
				case 0:
					if u.ended.IsZero() {
						if err := p.other.EndOne(t.Context(), u.s, "logout"); err != nil {
							t.Fatal(err)
						}
						u.ended = time.Now()
					}
				case 1:
					p.other.pauses.forced.Remove(errandKey{id: u.s.ID()})
					switch next, err := p.other.OtherToken(t.Context(), u.s); {
					case err == nil && next.Tokens.Access != u.s.Tokens.Access:
						u.token, u.changed = number(next), time.Now()
					case err != nil && !errors.Is(err, ErrNone):
						t.Fatal(err)
					}
				}
				var s *Session
				var err error
				if asked := p.asks(func() { s, err = p.FromRequest(u.r) }); len(asked) == 0 {
					copied++
				}
				if err == nil && number(s) < u.token && time.Since(u.changed) >= staleness {
					t.Fatalf("token %d, %v after it was replaced by %d", number(s), time.Since(u.changed), u.token)
				}
				over := !u.ended.IsZero()
				switch {
				case err == nil && over && time.Since(u.ended) >= staleness:
					t.Fatalf("served %v after its end", time.Since(u.ended))
				case err == nil:
					served++
				case !errors.Is(err, ErrNone):
					t.Fatal(err)
				case !over:
					t.Fatal("refused although it lives")
				default:
					refused++
				}
				time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
				synctest.Wait()
			}
		})
	}
	t.Logf("%d served, %d of them from copies; %d refused", served, copied, refused)
	if copied < 1000 || refused < 1000 {
		t.Error("the faults left nothing to show")
	}
}

// number is which call to the provider brought a session's tokens; 0 are those of the sign-in.
func number(s *Session) int {
	n, err := strconv.Atoi(s.Tokens.Access)
	if err != nil {
		return 0
	}
	return n
}
