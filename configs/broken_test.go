package configs

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated and expected files anew")

// broken is the environment and the files of every configuration under testdata.
func broken() system {
	env := map[string]string{
		"PORT": "8080", "POOL": "12", "FLAG": "true", "EMPTY": "", "DOLLAR": "${env:PORT}",
		"HOST_WITH_SECRET": "kJ8vN2mQ5xR7tY1z", "NOT_A_NUMBER": "kJ8vN2mQ5xR7tY1z", "CANARY": canary,
	}
	files := map[string]string{
		"secrets/oidc": "b7Kq2Zt9Xw4Lm6Rc\n", "secrets/session": "Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta\n",
		"secrets/short": "Vt4mQz8L\n", "secrets/two-lines": "Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta\n\n",
		"doc.go":        "package configs\n", // a file that is there, and no certificate
		"secrets/utf16": "\xff\xfeb\x007\x00K\x00q\x002\x00Z\x00t\x009\x00X\x00w\x004\x00L\x00m\x006\x00R\x00c\x00",
	}
	return system{
		env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		read: func(path string) ([]byte, error) {
			for name, text := range files {
				if strings.HasSuffix(path, name) {
					return []byte(text), nil
				}
			}
			return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
		},
		stat: os.Stat,
		list: os.ReadDir,
	}
}

// Every broken configuration is a requirement in the words of its name, and what it answers is compared whole.
// CFG-01: unknown keys and insecure combinations are errors at the start.
func TestBrokenConfigurationsAreRefused(t *testing.T) {
	cases, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(cases) < 30 {
		t.Fatalf("%d broken configurations, want at least 30 (%v)", len(cases), err)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parse("cloakroom.yaml", data, broken())
			if err == nil {
				t.Fatal("the configuration was taken")
			}
			if strings.Contains(err.Error(), "kJ8vN2mQ5x") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message shows a secret:\n%v", err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}

// golden compares got with a file, or writes the file with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go generate ./configs writes it anew)\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}
