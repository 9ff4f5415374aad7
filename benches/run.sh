#!/usr/bin/env bash
# Measures target/release/coder; with BENCH_PEER=/path/to/coder also another binary
# with the same command line, in the same run, and prints the ratios.
# With `tunnel` as its first argument: what the tunnel carries, delays and costs (needs root for the
# emulated links). Else BENCH_AGENTS workspaces are created at once (30). Needs python3, psql and wrk.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
peer=(${BENCH_PEER:+--peer "$BENCH_PEER"})
if [ "${1:-}" = tunnel ]; then
  shift
  exec python3 benches/tunnel.py target/release/coder "${peer[@]}" --tool target/release/tunnel-bench "$@"
fi
for tool in python3 wrk; do command -v $tool >/dev/null || { echo "install $tool first" >&2; exit 1; }; done
exec python3 benches/bench.py target/release/coder "${peer[@]}" --agents "${BENCH_AGENTS:-30}" "$@"
