# What the demos share: a server on data of their own in .demo, its first user, the host template.
# Sourced, from the root of the project. DEMO_PORT chooses the port (3000), DEMO_BIN another folder
# with the binaries (target/demo).
bin=${DEMO_BIN:-target/demo}
coder=$(cd "$bin" && pwd)/coder
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
fail() { echo "$*" >&2; exit 1; }
# Processes that end with the demo. What runs in the background ignores interrupts unless it listens to them, as the server does.
server= helpers=()
trap 'kill -INT $server 2>/dev/null || true; kill "${helpers[@]}" 2>/dev/null || true; wait 2>/dev/null || true' EXIT

serve() {
  step "Starting coder server on $url (its log: .demo/server.log)"
  ! curl -fsS "$url/healthz" >/dev/null 2>&1 || fail "something answers on $url already; DEMO_PORT=… chooses another port"
  CODER_CONFIG_DIR=$demo/server CODER_CACHE_DIRECTORY=$demo/cache CODER_HTTP_ADDRESS=127.0.0.1:$port CODER_ACCESS_URL=$url \
    "$coder" server > "$demo/server.log" 2>&1 &
  server=$!
  for _ in $(seq 600); do
    curl -fsS "$url/healthz" >/dev/null 2>&1 && break
    kill -0 $server 2>/dev/null || { tail -20 "$demo/server.log" >&2; fail "the server ended; its last lines are above"; }
    sleep 0.1
  done
  curl -fsS "$url/healthz" >/dev/null || fail "the server did not become healthy within 60 seconds; see .demo/server.log"
}

sign_in() {
  step "Signing in as $user"
  "$coder" login "$url" --first-user-username $user --first-user-email $email --first-user-password "$password" --first-user-trial=false >/dev/null 2>&1 ||
    "$coder" login "$url" --token "$(cat "$demo/cli/session")" >/dev/null || fail "signing in failed; .demo holds data of another run: make clean removes it"
}

push_template() {
  step "Pushing the starter template: host"
  rm -rf "$demo/template" && "$coder" templates init --id host "$demo/template" >/dev/null
  "$coder" templates push host -d "$demo/template" -y
}

create_workspace() {
  step "Creating the workspace: demo"
  # One of another run may have lost its agent since, or know the server by another port.
  if "$coder" show demo >/dev/null 2>&1; then "$coder" restart demo -y; else "$coder" create demo --template host -y; fi
}

# Says how to sign in, then serves until Ctrl+C unless DEMO_ONCE=1.
serve_on() {
  step "Ready"
  printf '  %-9s %s\n' URL "$url" User "$email" Password "$password" "$@"
  [ "${DEMO_ONCE:-}" = 1 ] && exit 0
  echo "  Serving until Ctrl+C."
  wait $server
}
