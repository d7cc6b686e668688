# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The Debian 12 packages that building, testing and showing Rampart need: the one list.

rampart_packages=(
  # toolchain
  g++ meson ninja-build pkg-config ccache git make
  # libraries (libpcap-dev: net_pcap is one of DPDK's drivers and is linked statically)
  libdpdk-dev dpdk-dev libpcap-dev libboost-dev libboost-program-options-dev libsimdjson-dev nlohmann-json3-dev
  libyaml-cpp-dev libjemalloc-dev libgtest-dev libgmock-dev libbenchmark-dev
  # checking: formatting, clang-tidy, sanitizers, fuzzers
  clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev llvm-14
  # network namespaces and the scripts around them
  iproute2 ethtool python3 procps kmod
)

# Prints the packages of the list that are not installed, one a line.
missing_packages() {
  local package
  for package in "${rampart_packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      echo "$package"
  done
}

# Installs what is missing. Needs root and a package mirror only if something is missing.
install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  if [ ${#missing[@]} -eq 0 ]; then
    say "all ${#rampart_packages[@]} Debian packages are there"
    return 0
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    echo "not root: cannot install packages; run this with sudo" >&2
    return 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q || return 1
  apt-get install -q -y --no-install-recommends "${missing[@]}"
}
