package inbound

import (
	"encoding/base64"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// bcrypted is a hash of the least cost: tests make many.
func bcrypted(t testing.TB, password string) string {
	t.Helper()
	b, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func argoned(password string) string {
	salt := "0123456789abcdef"
	sum := argon2.IDKey([]byte(password), []byte(salt), 1, 64, 1, 32)
	b := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=64,t=1,p=1$%s$%s", b([]byte(salt)), b(sum))
}

func TestHashesOfPasswords(t *testing.T) {
	b := bcrypted(t, "right")
	for name, text := range map[string]string{
		"$2a$, of Go": b, "$2b$, of Python": "$2b$" + b[4:], "$2y$, of htpasswd": "$2y$" + b[4:], "argon2id": argoned("right"),
	} {
		t.Run(name, func(t *testing.T) {
			h, err := parseHash(text)
			if err != nil {
				t.Fatal(err)
			}
			if !h.matches([]byte("right")) || h.matches([]byte("wrong")) || h.matches(nil) {
				t.Error("it knows the wrong passwords")
			}
			nobody := h.ofNobody()
			if nobody.cost() != h.cost() || nobody.matches([]byte("right")) || nobody.text() == h.text() {
				t.Errorf("a hash of nobody is %s for %s", nobody.cost(), h.cost())
			}
			if _, ok := h.(bcryptHash); ok {
				if _, err := parseHash(nobody.text()); err != nil {
					t.Errorf("the hash of nobody is none, so that it takes no time: %v", err)
				}
			}
		})
	}
}

// bcrypt looks at 72 bytes. A longer password is not taken by its beginning, and is hashed as any other.
func TestALongPasswordIsNotTakenByItsBeginning(t *testing.T) {
	long := strings.Repeat("a", 72)
	h, err := parseHash(bcrypted(t, long))
	if err != nil {
		t.Fatal(err)
	}
	if !h.matches([]byte(long)) || h.matches([]byte(long+"b")) {
		t.Error("72 bytes must be taken, and 73 not")
	}
}

// The file's author decides what an attempt costs, within bounds.
func TestHashesThatAreRefused(t *testing.T) {
	b := bcrypted(t, "x")
	const salt, sum = "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	argon := func(params string) string { return "$argon2id$v=19$" + params + "$" + salt + "$" + sum }
	for name, text := range map[string]string{
		"bcrypt of cost 15":          "$2y$15$" + b[7:],
		"bcrypt of cost 31":          "$2y$31$" + b[7:],
		"bcrypt of cost 99":          "$2y$99$" + b[7:],
		"bcrypt that is cut":         b[:59],
		"bcrypt with something else": b + "x",
		"bcrypt in other characters": b[:30] + "!" + b[31:],
		"bcrypt of 1999, with a bug": "$2x$" + b[4:],
		"Apache's MD5":               "$apr1$salt$hash",
		"SHA":                        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
		"plain text":                 "secret",
		"nothing":                    "",
		"argon2i":                    "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + sum,
		"argon2id of old":            "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + sum,
		"four gigabytes":             argon("m=4194304,t=1,p=1"),
		"more than any machine has":  argon("m=99999999999999999999,t=1,p=1"),
		"a million passes":           argon("m=64,t=1000000,p=1"),
		"2³² passes":                 argon("m=64,t=4294967295,p=1"),
		"no pass":                    argon("m=64,t=0,p=1"),
		"no thread":                  argon("m=64,t=1,p=0"),
		"256 threads":                argon("m=65536,t=1,p=256"),
		"too little memory":          argon("m=8,t=1,p=2"),
		"parameters in other order":  argon("t=1,m=64,p=1"),
		"a parameter too many":       argon("m=64,t=1,p=1,x=1"),
		"no salt":                    "$argon2id$v=19$m=64,t=1,p=1$$" + sum,
		"a hash of four bytes":       "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AAAAAA",
		"padding":                    argon("m=64,t=1,p=1") + "=",
	} {
		if h, err := parseHash(text); err == nil {
			t.Errorf("%s is taken, at %s", name, h.cost())
		} else if len(text) > 20 && strings.Contains(err.Error(), text[20:]) {
			t.Errorf("%s: the error has the hash: %v", name, err)
		}
	}
}

func TestFilesOfUsers(t *testing.T) {
	b, a := bcrypted(t, "x"), argoned("x")
	good, err := parseUsers([]byte("# people\r\nalice:" + b + "\r\n\n  \nbob smith:" + b + "\njürgen:" + a))
	if err != nil || len(good.hashes) != 3 || good.nobody.cost() != "bcrypt 04" {
		t.Errorf("got %+v, %v", good, err)
	}
	for text, want := range map[string]string{
		"":                                      "no user",
		"# nobody\n":                            "no user",
		"alice":                                 "line 1: is not user:hash",
		":" + b:                                 "line 1: is not user:hash",
		"a\x00b:" + b:                           "line 1: is not user:hash",
		"\xff:" + b:                             "line 1: is not user:hash",
		"alice:" + b + "\nbob:hunter2":          "line 2: the hash is neither",
		"alice:" + b + "\nalice:" + a:           "line 2: the user is there twice",
		"alice: " + b:                           "line 1: the hash is neither",
		"alice:" + b + ":comment":               "line 1: the hash is no whole",
		strings.Repeat("a", 256) + ":" + b:      "line 1: is not user:hash",
		"alice:$2y$20$" + b[7:] + "\nbob:" + b:  "line 1: the hash has cost 20",
		"alice:$argon2id$v=19$m=64,t=1,p=1$a$b": "line 1: the hash is no argon2id",
	} {
		_, err := parseUsers([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.30q: got %v, want %q", text, err, want)
		}
	}
}

// What htpasswd writes is taken, where there is one on this machine; its form is in TestHashesOfPasswords too.
func TestWhatHtpasswdWrites(t *testing.T) {
	path, err := exec.LookPath("htpasswd")
	if err != nil {
		t.Log("no htpasswd here: its form alone is tested")
		return
	}
	out, err := exec.Command(path, "-nbB", "alice", "right").Output()
	if err != nil {
		t.Fatal(err)
	}
	f, err := parseUsers(out)
	if err != nil {
		t.Fatal(err)
	}
	if h, known := f.of("alice"); !known || !h.matches([]byte("right")) {
		t.Errorf("%s is not alice's", out)
	}
}

// A file that is taken has bounded costs alone, and an error shows nothing of it but line numbers and numbers.
func FuzzParseUsers(f *testing.F) {
	f.Add("alice:" + "$2y$04$NNNNNNNNNNNNNNNNNNNNNOJUHN8ER0KYQ5mQZ3kqUR5XxRHh1q0Wm")
	f.Add("#\n:\na:$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("a:$2y$\na:$argon2id$$$$")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseUsers([]byte(text))
		if err != nil {
			return
		}
		for user, h := range file.hashes {
			if !isUser(user) {
				t.Fatalf("user %q", user)
			}
			switch h := h.(type) {
			case bcryptHash:
				if cost, err := bcrypt.Cost([]byte(h)); err != nil || cost > maxBcryptCost {
					t.Fatalf("%q costs %d, %v", h, cost, err)
				}
			case argonHash:
				if h.memory > maxArgonMemory || uint64(h.memory)*uint64(h.passes) > maxArgonWork || h.threads < 1 || h.passes < 1 {
					t.Fatalf("%+v", h)
				}
			}
		}
	})
}
