#!/usr/bin/env bash
# Sets up .venv from the locked requirements. Usage: tools/setup.sh [python3]
set -euo pipefail
cd "$(dirname "$0")/.."
python="${1:-python3}"

fail() {
    echo "$1" >&2
    exit 1
}

command -v "$python" >/dev/null || fail "Python is missing. On Debian or Ubuntu: apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or newer is needed; $python is $("$python" -V 2>&1). Choose another: make setup PYTHON=python3.12"

if ! [ -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "Python cannot make virtual environments here. On Debian or Ubuntu: apt-get install python$version-venv"
    echo "Making .venv with Python $version"
    rm -rf .venv
    "$python" -m venv .venv
fi

export PIP_DISABLE_PIP_VERSION_CHECK=1
echo "Installing the locked requirements (the first time this takes a minute)"
.venv/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements.txt
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
touch .venv/.installed
