#!/usr/bin/env bash
# Measures target/release/coder; with BENCH_PEER=/path/to/coder also another binary
# with the same command line, in the same run, and prints the ratios.
# BENCH_AGENTS workspaces are created at once (30). Needs python3, psql and wrk.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in python3 wrk; do command -v $tool >/dev/null || { echo "install $tool first" >&2; exit 1; }; done
exec python3 benches/bench.py target/release/coder ${BENCH_PEER:+--peer "$BENCH_PEER"} --agents "${BENCH_AGENTS:-30}" "$@"
