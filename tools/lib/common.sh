# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What tools/check, tools/demo and the commands of perf/ (by tools/lib/build) share: talking, and
# building. Sourced, not run.

rampart_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
rampart_build=${RAMPART_BUILD:-$rampart_root/build}
rampart_started=$SECONDS
export PYTHONDONTWRITEBYTECODE=1

if [ -t 1 ]; then rampart_bold=$'\e[1m' rampart_plain=$'\e[0m'; else rampart_bold='' rampart_plain=''; fi

# Says what is being done, with the minutes and seconds since the start.
say() {
  local s=$((SECONDS - rampart_started))
  printf '%s[%02d:%02d] %s%s\n' "$rampart_bold" $((s / 60)) $((s % 60)) "$*" "$rampart_plain"
}

# Sets up a build directory if it is none yet: setup_build DIR COMPILER [meson options…]
setup_build() {
  local dir=$1 compiler=$2
  shift 2
  command -v ccache >/dev/null && compiler="ccache $compiler"
  if [ -f "$dir/build.ninja" ]; then
    # Options may have changed since; meson regenerates by itself what depends on files.
    meson configure "$dir" "$@"
  else
    CXX=$compiler meson setup "$dir" "$rampart_root" "$@"
  fi
}

. "$rampart_root/tools/lib/packages.sh"

# Installs what is missing and builds in DIR, from nothing if need be; of what failed, the errors are shown:
# make_ready DIR LOG TARGET…
make_ready() {
  local dir=$1 log=$2
  shift 2
  mkdir -p "$dir" && install_packages || return 1
  say "building in $dir (the first time takes some minutes): $*"
  if ! { setup_build "$dir" g++ && ninja -C "$dir" "$@"; } >"$log" 2>&1; then
    grep -E 'error|Error|ERROR|FAILED' "$log" | head -n 40
    echo "the build failed; the whole story: $log" >&2
    return 1
  fi
  say "built"
}
