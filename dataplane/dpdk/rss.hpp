// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_ethdev.h>
#include <rte_flow.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "dataplane/base/ids.hpp"

namespace rampart {

/// The 16 bits that our RSS key repeats. (An odd number of them is set, so that no two sums of
/// words have one hash.)
inline constexpr uint16_t kRssKey = 0x6d5a;

/// How a port spreads what it receives over its queues (receive side scaling), as its driver says.
struct Rss {
  enum class Function : uint8_t {
    kNone,               ///< one queue: there is nothing to spread
    kDriver,             ///< several, and the driver does not say how it fills them
    kToeplitz,           ///< symmetric if its key is
    kSymmetricToeplitz,  ///< whatever the key
  };
  enum class Key : uint8_t {
    kNone,       ///< not known
    kDriver,     ///< one that is not ours
    kSymmetric,  ///< makes plain Toeplitz symmetric
  };
  Function function = Function::kNone;
  Key key = Key::kNone;
  uint64_t types = 0;  ///< what is hashed: RTE_ETH_RSS_… bits

  bool operator==(const Rss&) const = default;
};

/// The flow rules that give a port the symmetric function. Nothing of it but create() and clear()
/// touches the port; the rules must be cleared before it stops.
class RssRules {
 public:
  /// Makes a rule for each kind of packet in `offloads` (RTE_ETH_RSS_… bits), all of them or none.
  bool create(PortId port, uint64_t offloads);
  void clear(PortId port);
  bool empty() const { return rules_.empty(); }

 private:
  std::vector<rte_flow*> rules_;
};

/// One such rule: packets with these headers are hashed by what `types` names.
struct RssRule {
  uint64_t types;
  rte_flow_item_type l3, l4;  ///< l4: RTE_FLOW_ITEM_TYPE_END for those that have none

  bool operator==(const RssRule&) const = default;
};
/// The rules for a port that can hash `offloads`. Rules of one header come before those of two:
/// drivers let the later one win where two fit.
std::vector<RssRule> rss_rules_for(uint64_t offloads);

/// i40e, iavf, ice and hns3 know the symmetric function; it is set by flow rules.
bool knows_symmetric_function(std::string_view driver);

/// Asks for RSS in what a port is going to be configured with, if it can have it. The key it names
/// is not on the stack. Control thread, as all of these.
void ask_for_rss(const rte_eth_dev_info& info, unsigned rx_queues, rte_eth_conf& conf);

/// Entries of the table by which a port that is configured so finds the queue of a hash (always a
/// power of two), once it has started: entry i is queue i modulo the number of queues. 0: it has
/// one queue or knows no RSS.
unsigned rss_entries(const rte_eth_dev_info& info, unsigned rx_queues);

/// Makes a started port's RSS symmetric if it can be, key before function, and says what the driver
/// says came of it; fills its table of queues. `rules`: those of this port, none.
Rss settle_rss(PortId port, unsigned rx_queues, RssRules& rules);

std::string_view to_string(Rss::Function function);  ///< "none", "driver", "toeplitz", …
std::string_view to_string(Rss::Key key);            ///< "symmetric", …; empty: not known
/// "ipv4", "ipv4-tcp" … for RTE_ETH_RSS_… bits; "others" stands for those without a name here.
std::vector<std::string_view> rss_type_names(uint64_t types);

}  // namespace rampart
