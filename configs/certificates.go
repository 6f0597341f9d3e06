package configs

import (
	"crypto/x509"
	"maps"
	"slices"

	"cloakroom/bff/certs"
)

// certificates looks into the files of all certificates, so that `check` and a reload find what is wrong with them. Of Validate it cannot be a part, which looks at no file.
func (l *loader) certificates() {
	front, redis := l.cfg.Server.TLS, l.cfg.Session.Redis
	l.pair("server.tls", front.Cert, front.Key)
	l.authority("server.tls.acme.ca", front.ACME.CA)
	l.pair("session.redis", redis.Cert, redis.Key)
	l.authority("session.redis.ca", redis.CA)
	for _, name := range slices.Sorted(maps.Keys(l.cfg.Providers)) {
		l.authority("providers."+name+".ca", l.cfg.Providers[name].CA)
	}
	for _, name := range slices.Sorted(maps.Keys(l.cfg.Upstreams)) {
		tls, key := l.cfg.Upstreams[name].TLS, "upstreams."+name+".tls"
		l.pair(key, tls.Cert, tls.Key)
		l.authority(key+".ca", tls.CA)
	}
}

// pair judges a certificate and its private key, by the keys cert and key of a part.
func (l *loader) pair(part, certPath, keyPath string) {
	if certPath == "" || keyPath == "" {
		return // its part says what is missing
	}
	cert, ok := l.content(part+".cert", certPath)
	key, both := l.content(part+".key", keyPath)
	if !ok || !both {
		return
	}
	if which, problem := certs.Judge(cert, key); problem != "" {
		l.misfit(part+"."+which, problem, certPath, keyPath)
	}
}

// authority judges a file of certificates that vouch for others.
func (l *loader) authority(key, path string) {
	if path == "" {
		return
	}
	if pem, ok := l.content(key, path); ok && !x509.NewCertPool().AppendCertsFromPEM(pem) {
		l.misfit(key, "has no certificate in PEM", path)
	}
}

// content reads a file that a key names, or reports why it cannot be read.
func (l *loader) content(key, path string) (data []byte, ok bool) {
	data, err := l.read(path)
	if err != nil {
		l.misfit(key, reason(err), path)
	}
	return data, err == nil
}

// misfit reports what is wrong with files that nobody watches while they are right. Now the mistake may be mended in one of them: a certificate is there already, say, and
// its key is not yet.
func (l *loader) misfit(key, problem string, paths ...string) {
	l.judge(key, problem)
	l.main.used = append(l.main.used, paths...)
}
