#!/bin/bash
# Installs what the tests need and this machine lacks, and only that. Running it again changes nothing.
# What it cannot install itself, it names together with the command that does.
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# quietly runs a command and shows its output only if it fails.
quietly() {
	if ! "$@" >"$log" 2>&1; then
		cat "$log" >&2
		echo "setup: failed: $*" >&2
		exit 1
	fi
}

# need TOOL HOW: the tools that the project is built with are chosen by people, not by a script.
need() {
	command -v "$1" >/dev/null || { echo "setup: $1 is missing. Install it: $2" >&2; exit 1; }
}

need go "https://go.dev/dl/ (1.26 or later)"
need gcc "apt-get install gcc libc6-dev (the race detector needs it)"
need node "apt-get install nodejs (20.19 or later), or https://nodejs.org"
need npm "apt-get install npm"
need curl "apt-get install curl"

# Debian packages: tool and package, one pair a line.
missing=()
while read -r tool package; do
	command -v "$tool" >/dev/null || missing+=("$package")
done <<'PAIRS'
redis-server redis-server
redis-sentinel redis-sentinel
redis-cli redis-tools
chromium chromium
sslscan sslscan
PAIRS
# A browser without a font shows pages without text.
if [[ ! -d /usr/share/fonts ]] || [[ -z "$(find /usr/share/fonts -name '*.[ot]t[fc]' -print -quit)" ]]; then
	missing+=(fonts-dejavu-core)
fi

if ((${#missing[@]})); then
	by_hand="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
	if ! command -v apt-get >/dev/null || [[ $(id -u) != 0 ]]; then
		echo "setup: missing: ${missing[*]}. Install with: sudo sh -c '$by_hand'" >&2
		exit 1
	fi
	echo "setup: installing ${missing[*]}"
	# The tests start their own servers: a package must not start one on the machine.
	if [[ ! -e /usr/sbin/policy-rc.d ]]; then
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod +x /usr/sbin/policy-rc.d
		trap 'rm -f "$log" /usr/sbin/policy-rc.d' EXIT
	fi
	export DEBIAN_FRONTEND=noninteractive
	# The lists may be there already and fresh enough.
	if ! apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
		quietly apt-get update
		quietly apt-get install -y --no-install-recommends "${missing[@]}"
	fi
fi

# The ACME server of the tests, built where Go keeps what it builds.
quietly go tool -modfile=tools/go.mod -n pebble

# The policy agent of the tests, the same way. It is large: the first time takes a minute or two.
quietly go tool -modfile=tools/go.mod -n opa

# npm packages, exactly those of the lock file; the stamp says for which lock they were installed.
stamp=e2e/node_modules/.installed-for
lock=$(sha256sum <e2e/package-lock.json)
if [[ ! -e $stamp ]] || [[ $(<"$stamp") != "$lock" ]]; then
	echo "setup: installing the npm packages of e2e/package-lock.json"
	quietly npm ci --prefix e2e --no-audit --no-fund --loglevel=error
	echo "$lock" >"$stamp"
fi
