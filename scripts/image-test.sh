#!/bin/bash
# Starts the image as production should, read-only and without capabilities, and signs a user in through it, with a
# provider, a Redis and an API on loopback. DOCKER is the client to use, IMAGE the name.
set -euo pipefail
cd "$(dirname "$0")/.."

export DOCKER=${DOCKER:-docker} IMAGE=${IMAGE:-cloakroom:dev}
"$DOCKER" image inspect "$IMAGE" >/dev/null || { echo "image-test: build the image first: make image" >&2; exit 1; }
exec go test -count=1 -tags image -v ./e2e/image
