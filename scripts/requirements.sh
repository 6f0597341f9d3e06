#!/bin/bash
# Lists the requirement ids that a test cites, by family: `SES (9): 01 02 ...`.
# Ranges count as what they span: BCP-02..05 is four ids.
set -euo pipefail
cd "$(dirname "$0")/.."

families='BBA-6\.1|BCP|OIDC|RPL|BCL|FCL|SMG|REV|OAX|FAPI|CK|CSRF|SES|PRX|WS|SSE|HDR|CORS|SEC|RED|AUN|AUZ|RL|VAL|ERR|LOG|TLS|CRY|CFG'

# The files that are tests: Go's own, the suite that every session store runs, and the browser's.
tests() {
	find . -path ./node_modules -prune -o -path ./e2e/node_modules -prune -o \
		\( -name '*_test.go' -o -path './session/storetest/*.go' -o -path './e2e/browser/*.mjs' -o -path '*/testdata/stories/*' \) -type f -print0
}

tests | xargs -0 grep -hoE "\b($families)-[0-9]{2}(\.\.[0-9]{2})?\b" | awk '
{
	cut = match($0, /-[0-9][0-9](\.\.[0-9][0-9])?$/)
	family = substr($0, 1, cut - 1)
	from = substr($0, cut + 1, 2) + 0
	to = index($0, "..") ? substr($0, length($0) - 1) + 0 : from
	for (n = from; n <= to; n++) printf "%s %02d\n", family, n
}' | sort -u | awk '
function line() { if (family != "") printf "  %-8s %3d: %s\n", family, count, list }
$1 != family { line(); family = $1; count = 0; list = "" }
{ count++; total++; list = list (list == "" ? "" : " ") $2 }
END { line(); printf "%d requirement ids are shown by a test\n", total }'
