#!/usr/bin/env bash
# Makes sure that there is a redis-server for the tests of shared rate limits; installs Debian's one when we may.
set -euo pipefail

command -v redis-server >/dev/null && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "The tests of shared rate limits need redis-server. Install it: sudo apt-get install redis-server" >&2
    exit 1
fi
echo "Installing Redis for the tests: apt-get install redis-server" >&2
export DEBIAN_FRONTEND=noninteractive
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server; } >&2 </dev/null || {
    echo "redis-server could not be installed; install it yourself and run the tests again." >&2
    exit 1
}
