// SPDX-License-Identifier: Apache-2.0
#pragma once

struct rte_acl_ctx;

namespace rampart {

/// Makes a context classify with the widest algorithm that the CPU has and the EAL allows (see
/// EalParams::simd_bits), and returns its name: "avx512x32", "avx512x16", "avx2", "sse" or
/// "scalar". Control threads; needs a running EAL.
const char* choose_acl_algorithm(rte_acl_ctx* context);

/// The name of what a context that is made now would be given; "unknown" if none can be made.
const char* probed_acl_algorithm();

}  // namespace rampart
