#!/usr/bin/env bash
# From nothing to a shell in a running workspace, then goes on serving.
# DEMO_ONCE=1 stops after the proof; DEMO_PORT chooses the port (3000).
set -euo pipefail
cd "$(dirname "$0")/.."
coder=$PWD/target/release/coder
port=${DEMO_PORT:-3000}
url=http://127.0.0.1:$port
demo=$PWD/.demo
user=admin email=admin@example.com
mkdir -p "$demo"
[ -s "$demo/password" ] || head -c 18 /dev/urandom | base64 | tr '+/' 'xy' > "$demo/password"
password=$(cat "$demo/password")
export CODER_CONFIG_DIR=$demo/cli
step() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }
[ -t 1 ] || step() { printf '\n==> %s\n' "$*"; }

step "Starting coder server on $url (its log: .demo/server.log)"
CODER_CONFIG_DIR=$demo/server CODER_CACHE_DIRECTORY=$demo/cache CODER_HTTP_ADDRESS=127.0.0.1:$port CODER_ACCESS_URL=$url \
  "$coder" server > "$demo/server.log" 2>&1 &
server=$!
trap 'kill -INT $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT
for _ in $(seq 600); do
  curl -fsS "$url/healthz" >/dev/null 2>&1 && break
  kill -0 $server 2>/dev/null || { tail -20 "$demo/server.log" >&2; echo "the server ended; its last lines are above" >&2; exit 1; }
  sleep 0.1
done
curl -fsS "$url/healthz" >/dev/null || { echo "the server did not become healthy within 60 seconds; see .demo/server.log" >&2; exit 1; }

step "Signing in as $user"
"$coder" login "$url" --first-user-username $user --first-user-email $email --first-user-password "$password" --first-user-trial=false >/dev/null 2>&1 ||
  "$coder" whoami >/dev/null || { echo "signing in failed; .demo holds data of another run: make clean removes it" >&2; exit 1; }

step "Pushing the starter template: host"
rm -rf "$demo/template" && "$coder" templates init --id host "$demo/template" >/dev/null
"$coder" templates push host -d "$demo/template" -y

step "Creating the workspace: demo"
"$coder" show demo >/dev/null 2>&1 && "$coder" start demo -y || "$coder" create demo --template host -y

step "coder ssh demo -- 'uname -sr; pwd; echo Hello from \$CODER_WORKSPACE_NAME'"
"$coder" ssh demo -- 'uname -sr; pwd; echo "Hello from $CODER_WORKSPACE_NAME"'

step "Ready"
cat <<END
  URL       $url
  User      $email
  Password  $password
  Shell     CODER_CONFIG_DIR=.demo/cli target/release/coder ssh demo
END
[ "${DEMO_ONCE:-}" = 1 ] && exit 0
echo "  Serving until Ctrl+C."
wait $server
