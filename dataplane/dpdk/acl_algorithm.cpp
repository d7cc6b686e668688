// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/acl_algorithm.hpp"

#include <rte_acl.h>

namespace rampart {

const char* choose_acl_algorithm(rte_acl_ctx* context) {
  struct Algorithm {
    enum rte_acl_classify_alg number;  // a function has the name, too
    const char* name;
  };
  constexpr Algorithm kWidestFirst[] = {{RTE_ACL_CLASSIFY_AVX512X32, "avx512x32"},
                                        {RTE_ACL_CLASSIFY_AVX512X16, "avx512x16"},
                                        {RTE_ACL_CLASSIFY_AVX2, "avx2"},
                                        {RTE_ACL_CLASSIFY_SSE, "sse"}};
  for (const Algorithm& one : kWidestFirst) {
    if (rte_acl_set_ctx_classify(context, one.number) == 0) return one.name;
  }
  rte_acl_set_ctx_classify(context, RTE_ACL_CLASSIFY_SCALAR);
  return "scalar";
}

const char* probed_acl_algorithm() {
  rte_acl_param param{};
  param.name = "probe";
  param.socket_id = SOCKET_ID_ANY;
  param.rule_size = RTE_ACL_RULE_SZ(1);
  param.max_rule_num = 1;
  rte_acl_ctx* context = rte_acl_create(&param);
  if (context == nullptr) return "unknown";
  const char* name = choose_acl_algorithm(context);
  rte_acl_free(context);
  return name;
}

}  // namespace rampart
