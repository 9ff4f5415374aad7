#!/usr/bin/env bash
# AI agents in the terminal: one mends a program in a workspace, another makes its workspace itself.
# The model is a scripted one (crates/testkit/src/model/plays), everything else is real.
# DEMO_ONCE=1 stops after the proof; DEMO_PORT chooses the port (3000).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/demo-server.sh
model=${DEMO_MODEL:-target/debug/examples/scripted-model}

# api METHOD PATH [BODY]: prints the answer; fails, with what was said, unless it is a success.
api() {
  curl -sS --fail-with-body -X "$1" "$url/api/v2/$2" -H "Coder-Session-Token: $(cat "$CODER_CONFIG_DIR/session")" \
    -H 'Content-Type: application/json' ${3:+-d "$3"}
}
# id: the first id of a JSON object.
id() { sed -n 's/^[^"]*"id": *"\([^"]*\)".*/\1/p' | head -1; }

serve
sign_in

step "Starting a scripted model provider, and naming it to the server"
"$model" > "$demo/model.url" &
helpers+=($!)
for _ in $(seq 100); do [ -s "$demo/model.url" ] && break; sleep 0.1; done
base=$(cat "$demo/model.url")
[ -n "$base" ] || fail "the scripted model did not start"
if provider=$(api GET ai/providers/scripted 2>/dev/null); then
  api PATCH ai/providers/scripted "{\"base_url\": \"$base\"}" >/dev/null
else
  provider=$(api POST ai/providers "{\"type\": \"openai-compat\", \"name\": \"scripted\", \"display_name\": \"Scripted\", \"enabled\": true, \"base_url\": \"$base\", \"api_keys\": [\"no-secret\"]}" | id)
  api POST organizations/default/chats/models "{\"ai_provider_id\": \"$provider\", \"model\": \"scripted\", \"display_name\": \"Scripted\", \"context_limit\": 200000, \"is_default\": true}" >/dev/null
fi
echo "$base"

push_template
create_workspace

step "Putting a program with a fault into it: ~/slug"
tar -C crates/testkit/plays -c slug | "$coder" ssh demo -- tar -x
! "$coder" ssh demo -- 'cd slug && sh test.sh' || fail "the tests should fail before the agent mends the program"

step "coder chat start -w demo 'The tests of slug fail. …'"
"$coder" chat start -w demo "The tests of slug fail. Find out why, mend the program, and run them again."

step "The tests once more, by hand"
"$coder" ssh demo -- 'cd slug && sh test.sh'

step "coder chat start 'Set up a workspace …' (the agent chooses the template and creates it)"
! "$coder" show leap >/dev/null 2>&1 || "$coder" delete leap -y >/dev/null
"$coder" chat start "Set up a workspace named leap for me, with a shell script in it that knows leap years, and test it."

step "In the new workspace, by hand"
"$coder" ssh leap -- 'cd leap && sh test.sh'
"$coder" list

serve_on Chat "CODER_CONFIG_DIR=.demo/cli $bin/coder chat attach last"
