#!/usr/bin/env bash
# Formats-checks, lints, builds and tests the contracts, the gas snapshot among the tests.
#   ./test.sh             everything; fails when a figure of gas.json changes
#   ./test.sh --update    writes gas.json, then everything
#   ./test.sh --forge     installs the tools and prints where forge is
# Needs Node 20 or later with npm; the compiler and forge come from package-lock.json.
set -euo pipefail
cd "$(dirname "$0")"

FORGE_VERSION=1.7.1

fail() {
  echo "contracts/test.sh: $*" >&2
  exit 1
}

# The same lock and the same stamp as the Rust step, so that both may run at once.
install_tools() {
  cmp -s package-lock.json node_modules/.installed && return
  npm ci --ignore-scripts
  cp package-lock.json node_modules/.installed
}

find_forge() {
  local candidate
  for candidate in node_modules/@foundry-rs/forge-*/bin/forge "$(command -v forge || true)"; do
    if [ -x "$candidate" ] && "$candidate" --version | grep -q "$FORGE_VERSION"; then
      echo "$candidate"
      return
    fi
  done
  fail "no forge $FORGE_VERSION: npm has it for linux-x64 and darwin-arm64; elsewhere put it on PATH"
}

case "${1:-}" in
  "" | --forge) update=false ;;
  --update) update=true ;;
  *) fail "unknown argument $1; known are --update and --forge" ;;
esac

command -v node >/dev/null && command -v npm >/dev/null || fail "Node 20 or later with npm is needed; install it and try again"
(
  if command -v flock >/dev/null; then flock 9; fi
  install_tools >&2
  # The contracts of others that ours are compared with; does nothing when they are compiled already.
  ./originals >&2
) 9>.tools.lock

forge=$(find_forge)
if [ "${1:-}" = --forge ]; then
  echo "$PWD/$forge"
  exit
fi
# The suite runs under the project's settings alone, whatever the caller's environment says of forge.
for name in $(compgen -e | grep -E '^(FOUNDRY|DAPP|FORGE)_' || true); do unset "$name"; done

if $update; then
  touch gas.json
  GAS_UPDATE=true "$forge" test --match-contract GasTest
fi
"$forge" fmt --check
# What a chain has to take; the tests' own size is nobody's concern.
"$forge" build src --sizes
"$forge" test
