#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All set-up: system packages that are missing, a virtual environment, the project in it.
# Installs packages as root or with `sudo -n`, from the sources already configured; adds none.
# Usage: setup.sh EXTRAS, as in `setup.sh demo,dev`; does nothing when all is in place.
set -eu
cd "$(dirname "$0")"
extras=$1
venv=.venv
stamp=$venv/.installed-$extras

missing=""
need() { # need COMMAND PACKAGES: note the packages when the command is not there
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need python3 python3
need gcc gcc
need clang clang
need arm-none-eabi-gcc gcc-arm-none-eabi
need qemu-system-arm qemu-system-arm
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
[ "$(uname)" != Linux ] || [ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
if command -v arm-none-eabi-gcc >/dev/null 2>&1; then
    specs=$(arm-none-eabi-gcc -print-file-name=nano.specs)
    [ "$specs" != nano.specs ] || missing="$missing libnewlib-arm-none-eabi"
else
    missing="$missing libnewlib-arm-none-eabi"
fi

if [ -n "$missing" ]; then
    if command -v apt-get >/dev/null 2>&1; then
        line="apt-get install -y --no-install-recommends$missing"
        if [ "$(id -u)" = 0 ]; then sudo=""; else sudo="sudo -n"; fi
        export DEBIAN_FRONTEND=noninteractive
        if ! { $sudo apt-get update -qq && $sudo $line; } >&2; then
            echo "setup: could not install packages; run: sudo $line" >&2
            exit 5
        fi
    else
        echo "setup: missing:$missing; run: brew install python gcc llvm qemu gcc-arm-embedded" >&2
        exit 5
    fi
fi

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: python3 is $(python3 --version), expected 3.11 or newer" >&2
    exit 5
fi

# The stamp holds what was installed: another constraints file or project file installs again.
inputs=$(cat pyproject.toml constraints.txt | cksum)
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$inputs" ]; then
    [ -x $venv/bin/python ] || python3 -m venv $venv
    PIP_CONSTRAINT=$PWD/constraints.txt $venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt --editable ".[$extras]" >&2
    echo "$inputs" >"$stamp"
fi
