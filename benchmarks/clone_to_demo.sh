#!/usr/bin/env bash
# Seconds from a fresh clone to the demo's summary, on a machine that has Python 3.11, git and make.
#   benchmarks/clone_to_demo.sh [REPOSITORY]
set -euo pipefail
repository=${1:-$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

now() { date +%s.%N; }
began=$(now)
git clone --quiet "$repository" "$folder/gridwhistle"
cloned=$(now)
make --no-print-directory -C "$folder/gridwhistle" venv
installed=$(now)
make --no-print-directory -C "$folder/gridwhistle" demo ARGS=--once
ended=$(now)

awk -v began="$began" -v cloned="$cloned" -v installed="$installed" -v ended="$ended" 'BEGIN {
    printf "clone %.1f s, environment %.1f s, demo %.1f s, together %.1f s\n",
        cloned - began, installed - cloned, ended - installed, ended - began
}'
