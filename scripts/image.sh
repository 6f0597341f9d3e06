#!/bin/bash
# Builds the image. DOCKER is the client to use, IMAGE the name, BUILD_FLAGS go to `docker build`.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(git describe --tags --always --dirty 2>/dev/null || true)
# shellcheck disable=SC2086 # flags are words
"${DOCKER:-docker}" build ${BUILD_FLAGS:-} --build-arg VERSION="$version" -t "${IMAGE:-cloakroom:dev}" .
