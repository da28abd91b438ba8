#!/usr/bin/env bash
# Make .venv: the pinned packages, and this package as an editable install. Quick where that is done already.
#
#     tools/make_env.sh                     with the first Python from 3.10 to 3.12 that runs
#     PYTHON=python3.12 tools/make_env.sh   with this one
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME

readonly VENV=.venv
readonly LOG=$VENV/install.log
readonly BUILD_TOOLS=(pip setuptools wheel packaging click numpy cython)
readonly COME_AS_SOURCES=(onedl-mmcv onedl-mmpretrain onedl-mmdetection xtcocotools)

# Whether $1 runs, is Python 3.10 to 3.12 and can make environments.
is_usable() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.10 python3}; do
        if is_usable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "No usable Python: ${PYTHON:-python3.11, python3.12, python3.10 and python3} was tried." >&2
    echo "EfficientPose needs Python 3.10, 3.11 or 3.12 with its venv module. Name one with PYTHON=/path/to/python." >&2
    return 1
}

# Run pip in the environment; its output goes to the log, and is shown if it fails.
pip_install() {
    if ! "$VENV/bin/python" -m pip install --no-input --disable-pip-version-check "$@" >"$LOG" 2>&1 </dev/null; then
        cat "$LOG" >&2
        echo "The installation failed; pip's output is above. \"make env\" tries again." >&2
        exit 1
    fi
}

# Whether the stamp $1 says that $2 is done.
is_done() {
    [[ -f $VENV/$1 && $(<"$VENV/$1") == "$2" ]]
}

python=$(find_python)
version=$("$python" -c 'import sys; print(sys.version.split()[0], "in", sys.base_prefix)')
packages_key="$PWD, Python $version, $(cat requirements/pinned*.txt | cksum)"
project_key="$(cat setup.py pyproject.toml requirements/*.txt projects/efficientpose/__init__.py | cksum)"

if ! is_done packages.stamp "$packages_key" || ! "$VENV/bin/python" -c '' 2>/dev/null; then
    echo "[1/3] Creating $VENV with Python ${version%% *} ..."
    rm -rf "$VENV"
    "$python" -m venv "$VENV"
    echo "[2/3] Installing $(cat requirements/pinned*.txt | grep -c ==) pinned packages (PyTorch is large: a few minutes) ..."
    pip_install --no-deps --constraint requirements/pinned.txt "${BUILD_TOOLS[@]}"
    pip_install --no-deps --constraint requirements/pinned.txt --no-build-isolation "${COME_AS_SOURCES[@]}"
    pip_install --no-deps -r requirements/pinned.txt -r requirements/pinned-dev.txt
    echo "$packages_key" >"$VENV/packages.stamp"
fi
if ! is_done project.stamp "$project_key"; then
    echo "[3/3] Installing efficientpose from this checkout ..."
    pip_install --no-deps --no-build-isolation --editable .
    echo "$project_key" >"$VENV/project.stamp"
fi
