// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.hpp"

namespace rampart {

/// What a DEVICE string names.
struct Device {
  enum class Kind : uint8_t {
    kPci,        ///< 0000:3b:02.0, or 3b:02.0; driver arguments may follow after a comma
    kInterface,  ///< iface:eth1, an interface that the kernel has
    kTap,        ///< tap:NAME, a tap device that is made (or attached to)
    kVdev,       ///< any other text: a DPDK vdev string as it is
  };

  Kind kind = Kind::kVdev;
  std::string text;       ///< as it was given
  std::string name;       ///< full PCI address, interface, tap or vdev name
  std::string arguments;  ///< what follows the name after a comma (PCI and vdev)
  /// The kernel's interface behind it, if it has one: also that of net_pcap, net_af_xdp,
  /// net_af_packet and net_tap strings. Empty: none.
  std::string interface;

  /// Looks at the text only. Errors: kInvalid.
  static Result<Device> parse(std::string_view text);

  /// The name under which DPDK knows the device. No two devices share it.
  std::string dpdk_name() const;
  /// What DPDK is asked to probe; `tx_queues` where the driver wants to be told there.
  std::string devargs(unsigned tx_queues) const;
};

/// Two of the devices are the same one or work on the same interface. Error: kConflict, with both
/// texts.
Result<void> check_distinct(std::span<const Device> devices);

/// The allow list for the EAL: address and driver arguments of the PCI devices.
std::vector<std::string> pci_allow_list(std::span<const Device> devices);

/// Bytes of a buffer of a memif port (net_memif…,bsize=…, 2,048 if that is not said); 0: another
/// device.
uint32_t memif_buffer(const Device& device);

/// Whether it is a memif port that lends its peer our packet buffers (…,zero-copy=yes).
bool lends_buffers(const Device& device);

/// The MTU a device will have when it is opened, for sizing packet buffers before there are ports:
/// the kernel's for its interfaces, what fits a buffer of a memif port, 1,500 otherwise. Errors:
/// kNotFound for an interface that is not there, kIo.
Result<uint16_t> expected_mtu(const Device& device);

}  // namespace rampart
