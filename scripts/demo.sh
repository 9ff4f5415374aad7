#!/usr/bin/env bash
# From nothing to a shell in a running workspace, then goes on serving.
# DEMO_ONCE=1 stops after the proof; DEMO_PORT chooses the port (3000).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/demo-server.sh

serve
sign_in
push_template
create_workspace

step "coder ssh demo -- 'uname -sr; pwd; echo Hello from \$CODER_WORKSPACE_NAME'"
"$coder" ssh demo -- 'uname -sr; pwd; echo "Hello from $CODER_WORKSPACE_NAME"'

serve_on Shell "CODER_CONFIG_DIR=.demo/cli $bin/coder ssh demo"
