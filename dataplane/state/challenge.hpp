// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/flow/flow_state.hpp"
#include "dataplane/packet/flow_key.hpp"
#include "dataplane/packet/siphash.hpp"

namespace rampart {

/// Whether new TCP clients have to prove that they are where they say, and the numbers by which
/// they do.
///
/// Under a SYN flood (more than `enter_at` half-open flows) a SYN that policy allows opens no flow.
/// It is answered with a SYN-ACK that acknowledges a number which the client has never sent: a
/// cookie, made of the connection's key, the time and a secret. A real client says so with a RST
/// that carries the cookie (RFC 9293 §3.10.7.3, SYN-SENT), and sends its SYN again. The RST opens a
/// flow (kTcpVerified) which that SYN then finds. A client that is not there says nothing, and
/// nothing was kept for it. All of the connection is the ends' own: no sequence number is
/// translated and no option is lost, as they are where a proxy answers SYNs in a server's name.
///
/// Written by its worker alone.
struct Challenge {
  SipKey key;             ///< secret of this start
  uint32_t enter_at = 0;  ///< half-open flows of this worker; 0: never
  bool active = false;
  Tick listen_until = 0;  ///< proofs are accepted up to then
  uint32_t asked = 0;     ///< since `since`
  Tick since = 0;

  /// Ticks for which a cookie is good: 17 to 34 seconds at 2 GHz.
  static constexpr unsigned kEpochShift = 10;
  static constexpr uint32_t epoch_of(Tick now) { return now >> kEpochShift; }

  /// The cookie of a connection that end `opener` of the key opens.
  template <typename Key>
  uint32_t cookie(const Key& k, unsigned opener, uint32_t epoch) const noexcept {
    constexpr size_t kWords = (sizeof(Key) + 7) / 8;
    std::array<uint64_t, kWords + 1> words{};
    std::memcpy(words.data(), &k, sizeof k);
    words[kWords] = uint64_t{opener} << 32 | epoch;
    return static_cast<uint32_t>(siphash(key, words));
  }

  /// What the SYN-ACK acknowledges: the cookie, or, if the client might take that for an answer to
  /// what it has sent (its number `next` and data behind it), another number that is as good.
  static constexpr uint32_t acknowledgement(uint32_t cookie, uint32_t next) {
    return cookie - next <= 0xffff ? cookie ^ 0x80000000U : cookie;
  }

  /// Whether a RST with this sequence number answers a challenge of this or the last epoch.
  template <typename Key>
  bool is_proof(uint32_t sequence, const Key& k, unsigned opener, Tick now) const noexcept {
    const uint32_t epoch = epoch_of(now);
    for (const uint32_t made : {epoch, epoch - 1}) {
      if (((sequence ^ cookie(k, opener, made)) & 0x7fffffffU) == 0) return true;
    }
    return false;
  }
};

}  // namespace rampart
