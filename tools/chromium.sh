#!/usr/bin/env bash
# Prints the path of a Chromium for the browser tests; installs Debian's one when there is none and we may.
set -euo pipefail

for candidate in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    if [ -n "$candidate" ] && found="$(command -v "$candidate")"; then
        # Ubuntu's chromium-browser may be a mere pointer to a snap package
        if "$found" --version >/dev/null 2>&1; then
            echo "$found"
            exit 0
        fi
    fi
done

if ! command -v apt-get >/dev/null; then
    echo "The browser tests need Chromium. Install it, or name it: make test CHROMIUM=/path/to/chromium" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "The browser tests need Chromium. Install it: sudo apt-get install chromium" >&2
    echo "or name another: make test CHROMIUM=/path/to/chromium" >&2
    exit 1
fi
echo "Installing Chromium for the browser tests: apt-get install chromium" >&2
export DEBIAN_FRONTEND=noninteractive
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >&2 </dev/null || {
    echo "Chromium could not be installed. Name another one: make test CHROMIUM=/path/to/chromium" >&2
    exit 1
}
found="$(command -v chromium)" && "$found" --version >/dev/null 2>&1 || {
    echo "The installed chromium does not start. Name another one: make test CHROMIUM=/path/to/chromium" >&2
    exit 1
}
echo "$found"
