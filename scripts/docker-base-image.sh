#!/bin/sh
# Makes the image that the `docker` starter template begins with, from Debian packages alone: no registry is asked.
#
#   scripts/docker-base-image.sh [IMAGE]        default: coder-base:latest
#
# DEBIAN_SUITE (bookworm), DEBIAN_MIRROR (the one that apt of this machine uses) and EXTRA_PACKAGES (comma-separated)
# may be set. Needs root (or sudo), debootstrap and a Docker Engine that runs.
set -eu

image=${1:-coder-base:latest}
suite=${DEBIAN_SUITE:-bookworm}
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 2> /dev/null | head -n 1)}
packages=ca-certificates,curl,git,less,openssh-client,procps,sudo${EXTRA_PACKAGES:+,$EXTRA_PACKAGES}

fail() {
	echo "$0: $1" >&2
	exit 1
}
command -v debootstrap > /dev/null || fail "debootstrap is missing: apt-get install debootstrap"
[ -n "$mirror" ] || fail "no mirror is known: set DEBIAN_MIRROR"
command -v docker > /dev/null || fail "docker is missing: apt-get install docker.io"
docker version > /dev/null 2>&1 || fail "no Docker Engine answers: start it (dockerd), or set DOCKER_HOST"
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo > /dev/null || fail "debootstrap needs root: run this as root"
	exec sudo --preserve-env=DEBIAN_SUITE,DEBIAN_MIRROR,EXTRA_PACKAGES,DOCKER_HOST "$0" "$image"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
root=$work/root

debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror" > "$work/log" 2>&1 || {
	tail -n 20 "$work/log" >&2
	fail "debootstrap failed (above: the end of its log)"
}

# People work as an ordinary user, who may become root within the container.
chroot "$root" useradd --create-home --uid 1000 --shell /bin/bash coder
echo 'coder ALL=(ALL) NOPASSWD:ALL' > "$root/etc/sudoers.d/coder"
chmod 440 "$root/etc/sudoers.d/coder"

# What only the making needed.
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*.log \
	"$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old

tar -C "$root" --numeric-owner -c . | docker import \
	--change 'USER coder' \
	--change 'WORKDIR /home/coder' \
	--change 'ENV LANG=C.UTF-8' \
	--change 'CMD ["bash"]' \
	- "$image" > /dev/null
echo "$image is ready: $(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%.0f MB", $1 / 1000000 }')"
