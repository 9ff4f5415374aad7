#!/bin/sh
# Fetches the Coder agent from the server and runs it.
set -u

fail() {
	echo "coder init: $1" >&2
	echo "coder init: this process stays for a day so that the message can be read" >&2
	sleep 86400
	exit 1
}

# BINARY_DIR may name a directory that outlives restarts.
dir=${BINARY_DIR:-}
if [ -z "$dir" ]; then
	dir=$(mktemp -d -t coder.XXXXXX 2>/dev/null || mktemp -d) || fail "no temporary directory can be made"
fi
mkdir -p "$dir" || fail "the directory $dir cannot be made"
cd "$dir" || fail "the directory $dir cannot be entered"

url="${ACCESS_URL}bin/coder-${OS}-${ARCH}"
binary="$dir/coder"

# Whichever of the usual tools is there. The program may be in use by an older
# agent, hence the new file that takes its place.
fetch() {
	if command -v curl >/dev/null 2>&1; then
		curl -fsSL --compressed "$url" -o "$binary.new"
	elif command -v wget >/dev/null 2>&1; then
		wget -q "$url" -O "$binary.new"
	elif command -v busybox >/dev/null 2>&1; then
		busybox wget -q "$url" -O "$binary.new"
	else
		fail "none of curl, wget and busybox is installed; add one to the image"
	fi
}

until fetch; do
	echo "coder init: $url could not be fetched, trying again in 30 seconds" >&2
	sleep 30
done
chmod +x "$binary.new" || fail "$binary.new cannot be made executable"
mv -f "$binary.new" "$binary" || fail "$binary cannot be replaced"

# Linux alone knows capabilities. Needs root, or the right to use sudo without a password.
if [ "${OS}" = linux ] && [ -n "${USE_CAP_NET_ADMIN:-}" ]; then
	if [ "$(id -u)" -eq 0 ]; then
		setcap CAP_NET_ADMIN=+ep "$binary" || echo "coder init: CAP_NET_ADMIN could not be set" >&2
	else
		sudo -n setcap CAP_NET_ADMIN=+ep "$binary" || echo "coder init: CAP_NET_ADMIN could not be set" >&2
	fi
fi

version=$("$binary" --version 2>&1 | head -n 1)
case $version in
*Coder*) ;;
*) fail "what $url gave is not the agent for this machine; it said: $version" ;;
esac

export CODER_AGENT_AUTH="${AUTH_TYPE}"
export CODER_AGENT_URL="${ACCESS_URL}"
exec "$binary" agent
