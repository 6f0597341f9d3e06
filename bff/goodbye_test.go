package bff

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slowWriter is a client that takes a while for each piece, unless its deadline has passed by then.
type slowWriter struct {
	*httptest.ResponseRecorder
	takes    time.Duration
	deadline time.Time
}

// SetWriteDeadline implements what http.ResponseController looks for.
func (w *slowWriter) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	return nil
}

func (w *slowWriter) Write(p []byte) (int, error) {
	time.Sleep(min(w.takes, max(0, time.Until(w.deadline))))
	if !time.Now().Before(w.deadline) {
		return 0, os.ErrDeadlineExceeded
	}
	return w.ResponseRecorder.Write(p)
}

// However late a busy machine gets to it, the last event is sent, and the stream ends properly; a client that takes nothing is cut off.
func TestTheLastEventIsSentHoweverLate(t *testing.T) {
	for name, c := range map[string]struct {
		late, takes time.Duration
		told        bool
	}{
		"at once":                     {0, 0, true},
		"late":                        {2 * time.Second, 0, true},
		"a client that takes nothing": {0, time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &slowWriter{ResponseRecorder: httptest.NewRecorder(), takes: c.takes}
				e := &eventStream{w: w, client: http.NewResponseController(w), ended: make(chan string, 1)}
				e.finish("ended")
				time.Sleep(c.late)
				e.goodbye(<-e.ended)
				if told := strings.Contains(w.Body.String(), `{"reason":"ended"}`); told != c.told {
					t.Errorf("got %q", w.Body)
				}
				time.Sleep(c.late) // until the server ends the answer
				if _, err := w.Write([]byte("0\r\n\r\n")); (err == nil) != c.told {
					t.Errorf("the answer's end: %v", err)
				}
			})
		})
	}
}
