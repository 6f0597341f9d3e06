#!/bin/bash
# Runs a command with a Docker of its own whose base images are stand-ins, for machines that reach no registry:
#
#   scripts/image-standin.sh make image-test
#
# The stand-ins hold what the Dockerfile uses of the real ones: this machine's Go toolchain beside a shell, and an
# empty root with the user nonroot. So this proves the Dockerfile's steps and what its image does, not the real base
# images. Needs root and Debian, and 2 GB in the folder for temporary files. Everything is gone when the command ends.
set -euo pipefail

(($#)) || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }

if [[ ! -x /usr/bin/docker || ! -x /usr/sbin/dockerd || ! -x /bin/busybox ]]; then
	echo "image-standin: installing docker.io and busybox-static"
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends docker.io busybox-static >/dev/null
fi

dir=$(mktemp -d)
dockerd=
cleanup() {
	if [[ -n $dockerd ]]; then
		kill "$dockerd" 2>/dev/null || true
		wait "$dockerd" 2>/dev/null || true
	fi
	umount "$dir"/exec/netns/* 2>/dev/null || true # the host's network, which dockerd leaves mounted there
	rm -rf "$dir"
}
trap cleanup EXIT

# No bridge and no firewall rules: this daemon leaves the machine's network alone, and containers use the host's.
export DOCKER=/usr/bin/docker DOCKER_HOST=unix://$dir/docker.sock DOCKER_BUILDKIT=0 BUILD_FLAGS="--network host"
/usr/sbin/dockerd --bridge=none --iptables=false --host "$DOCKER_HOST" --data-root "$dir/data" --exec-root "$dir/exec" \
	--pidfile "$dir/dockerd.pid" >"$dir/dockerd.log" 2>&1 &
dockerd=$!
for ((tries = 0; ; tries++)); do
	"$DOCKER" info >/dev/null 2>&1 && break
	if ((tries > 100)) || ! kill -0 "$dockerd" 2>/dev/null; then
		tail -20 "$dir/dockerd.log" >&2
		exit 1
	fi
	sleep 0.2
done

certificates=etc/ssl/certs/ca-certificates.crt

# golang:1.26: a shell, the toolchain, and how this machine fetches modules.
root=$dir/golang
mkdir -p "$root"/{bin,go,usr/local,"${certificates%/*}"}
mkdir -m 1777 "$root/tmp"
cp /bin/busybox "$root/bin/"
ln -s busybox "$root/bin/sh"
cp -a "$(go env GOROOT)" "$root/usr/local/go"
cp -L "/$certificates" "$root/$certificates"
tar -C "$root" -c . | "$DOCKER" import --change "ENV PATH=/usr/local/go/bin:/bin GOPATH=/go GOTOOLCHAIN=local GOPROXY=$(go env GOPROXY) GOSUMDB=$(go env GOSUMDB)" \
	- golang:1.26 >/dev/null
rm -rf "$root"

# gcr.io/distroless/static-debian12:nonroot: certificates and a user.
root=$dir/static
mkdir -p "$root"/{home/nonroot,"${certificates%/*}"}
mkdir -m 1777 "$root/tmp"
cp -L "/$certificates" "$root/$certificates"
echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$root/etc/passwd"
echo 'nonroot:x:65532:' >"$root/etc/group"
chown 65532:65532 "$root/home/nonroot"
tar -C "$root" -c . | "$DOCKER" import --change 'USER 65532' --change 'WORKDIR /home/nonroot' \
	- gcr.io/distroless/static-debian12:nonroot >/dev/null

"$@"
