// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rampart::test {

/// Bits of the widest vectors of this CPU that rte_acl has code for, by the compiler's word about
/// the CPU.
inline unsigned widest_vectors() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw")) {
    return 512;
  }
  return __builtin_cpu_supports("avx2") ? 256 : 128;
}

/// How rte_acl classifies here where vectors may have at most so many bits.
inline const char* acl_algorithm_within(unsigned bits) {
  const unsigned widest = widest_vectors();
  if (bits >= 512 && widest == 512) return "avx512x32";
  if (bits >= 256 && widest == 512) return "avx512x16";
  if (bits >= 256 && widest == 256) return "avx2";
  return bits >= 128 ? "sse" : "scalar";
}

}  // namespace rampart::test
