package tutorial

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"cloakroom/e2e/stack"
)

// window is the reader's browser, driven by driver.mjs.
type window struct {
	process  *stack.Process
	asked    int
	notebook string
}

// looked is what there is to be seen with the developer's tools.
type looked struct {
	Cookies []struct {
		Name, Value, SameSite string
		HTTPOnly              bool `json:"httpOnly"`
		Secure                bool
	}
	Readable []string // what scripts can read of cookies and storage
	Scripts  []string // paths
	Refused  []string // by the Content-Security-Policy; and exceptions
}

func openWindow(r *reader) *window {
	r.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		r.Fatalf("chromium is missing: run `make setup`: %v", err)
	}
	dir := r.TempDir()
	w := &window{notebook: filepath.Join(dir, "notebook")}
	given, err := json.Marshal(map[string]string{"chromium": chromium, "notebook": w.notebook, "pictures": dir})
	if err != nil {
		r.Fatal(err)
	}
	cmd := exec.Command("node", "driver.mjs")
	cmd.Env = append(os.Environ(), "CLOAKROOM_BROWSER="+string(given))
	if w.process, err = stack.Launch("browser", cmd); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { w.close(r) })
	w.answer(r)
	return w
}

// close closes it, when all that it was sent is noted.
func (w *window) close(r *reader) {
	r.Helper()
	_ = w.process.Leave() // what matters is that it ends
	if code, err := w.process.Wait(r.ctx); err != nil || code != 0 {
		_ = w.process.Kill()
		r.Errorf("the browser ended with %d, %v", code, err)
	}
}

// answer waits for the answer to the last order.
func (w *window) answer(r *reader) (done bool, line stack.Line) {
	r.Helper()
	at := -1
	line, err := w.process.Await(r.ctx, "answer", func(l stack.Line) bool {
		if l.Fields != nil {
			at++
		}
		return at == w.asked && l.Fields != nil
	})
	if err != nil {
		r.Fatal(err)
	}
	w.asked++
	return line.Fields["done"] == true, line
}

func (w *window) order(r *reader, a act) (bool, stack.Line) {
	r.Helper()
	text, err := json.Marshal(a)
	if err == nil {
		err = w.process.Tell(string(text))
	}
	if err != nil {
		r.Fatal(err)
	}
	return w.answer(r)
}

// do does what the page says.
func (w *window) do(r *reader, s step, a act) {
	r.Helper()
	if done, line := w.order(r, a); !done {
		r.Fatalf("docs/tutorial.md:%d: %s %q: %v\nat %v:\n%v", s.line, a.Do, a.What, line.Fields["error"], line.Fields["url"], line.Fields["shown"])
	}
}

func (w *window) look(r *reader) looked {
	r.Helper()
	done, line := w.order(r, act{"look", r.app})
	var answer struct{ Seen looked }
	if err := json.Unmarshal([]byte(line.Text), &answer); err != nil || !done {
		r.Fatalf("look: %v %s", err, line.Text)
	}
	return answer.Seen
}

// holdsNoToken is what the tutorial's reader would see in the developer's tools.
func (w *window) holdsNoToken(r *reader) {
	r.Helper()
	seen := w.look(r)
	for _, c := range seen.Cookies {
		session := c.Name == "__Host-Http-session" && c.SameSite == "Strict" && len(c.Value) == 43
		signIn := strings.HasPrefix(c.Name, "__Host-Http-login-") && c.SameSite == "Lax" && len(seen.Cookies) <= 2 // of the last minutes
		if !c.HTTPOnly || !c.Secure || !session && !signIn {
			r.Errorf("the browser holds the cookie %+v", c)
		}
	}
	if len(seen.Readable) > 0 || len(seen.Refused) > 0 {
		r.Errorf("scripts read %q, and the browser complained: %q", seen.Readable, seen.Refused)
	}
}

// jwt is how the provider's tokens look.
var jwt = regexp.MustCompile(`eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.`)

// judge closes the browser and reads what it was sent, and what the APIs were.
func (w *window) judge(r *reader) {
	r.Helper()
	w.close(r)
	sent, err := os.ReadFile(w.notebook)
	if err != nil {
		r.Fatal(err)
	}
	if token := jwt.Find(sent); token != nil || !bytes.Contains(sent, []byte("/bff/user")) {
		r.Errorf("the browser was sent a token, or nothing was noted: %q", token)
	}
	var calls []string
	for _, t := range r.terminals {
		for _, line := range texts(t.Process) {
			if strings.Contains(line, ", cookie: ") {
				calls = append(calls, line)
			}
		}
	}
	for _, want := range []string{"orders: GET /orders/ by ada, cookie: none", "orders: POST /orders/ by ada, cookie: none", "catalogue: GET /catalogue/ by ada, cookie: none"} {
		if !strings.Contains(strings.Join(calls, "\n"), want) {
			r.Errorf("the APIs were not asked: %s\n%s", want, strings.Join(calls, "\n"))
		}
	}
	for _, call := range calls {
		if !strings.HasSuffix(call, "cookie: none") {
			r.Errorf("an API got a cookie: %s", call)
		}
	}
}
