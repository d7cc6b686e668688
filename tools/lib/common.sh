# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What tools/check, tools/demo and perf/run share: talking, and building. Sourced, not run.

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
