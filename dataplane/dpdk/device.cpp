// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/device.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>

#include "dataplane/dpdk/kernel_interface.hpp"
#include "dataplane/dpdk/mempool.hpp"

namespace rampart {
namespace {

/// Takes 1 to `max_digits` hexadecimal digits off the front.
std::optional<unsigned> take_hex(std::string_view& text, size_t max_digits) {
  unsigned value = 0;
  size_t n = 0;
  for (; n < text.size() && n < max_digits; ++n) {
    const char c = static_cast<char>(text[n] | 0x20);
    if (text[n] >= '0' && text[n] <= '9') {
      value = value * 16 + static_cast<unsigned>(text[n] - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value * 16 + static_cast<unsigned>(c - 'a' + 10);
    } else {
      break;
    }
  }
  if (n == 0) return std::nullopt;
  text.remove_prefix(n);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// [DOMAIN:]BUS:DEVICE.FUNCTION → the form with all parts; nothing for any other text.
std::optional<std::string> canonical_pci(std::string_view text) {
  unsigned domain = 0;
  std::string_view rest = text;
  if (std::count(text.begin(), text.end(), ':') == 2) {
    const auto value = take_hex(rest, 8);
    if (!value || !take(rest, ':')) return std::nullopt;
    domain = *value;
  }
  const auto bus = take_hex(rest, 2);
  if (!bus || !take(rest, ':')) return std::nullopt;
  const auto device = take_hex(rest, 2);
  if (!device || *device > 0x1f || !take(rest, '.')) return std::nullopt;
  const auto function = take_hex(rest, 1);
  if (!function || *function > 7 || !rest.empty()) return std::nullopt;
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "%.4x:%.2x:%.2x.%x", domain, *bus, *device, *function);
  return out.data();
}

/// The value of the first `key=` among a vdev's arguments; empty: none.
std::string argument(std::string_view arguments, std::string_view key) {
  while (!arguments.empty()) {
    const std::string_view one = arguments.substr(0, arguments.find(','));
    arguments.remove_prefix(std::min(arguments.size(), one.size() + 1));
    if (one.starts_with(key) && one.substr(key.size()).starts_with('=')) {
      return std::string(one.substr(key.size() + 1));
    }
  }
  return {};
}

std::string interface_of_vdev(std::string_view name, std::string_view arguments) {
  const bool on_interface = name.starts_with("net_pcap") || name.starts_with("net_af_xdp") ||
                            name.starts_with("net_af_packet") || name.starts_with("eth_pcap") ||
                            name.starts_with("eth_af_packet") || name.starts_with("net_tap");
  if (!on_interface) return {};
  for (const std::string_view key : {"iface", "rx_iface_in", "rx_iface", "tx_iface"}) {
    std::string value = argument(arguments, key);
    if (!value.empty()) return value;
  }
  return {};
}

Error bad(std::string_view text, const std::string& what) {
  return {ErrorCode::kInvalid, what, "device \"" + std::string(text) + "\""};
}

}  // namespace

Result<Device> Device::parse(std::string_view text) {
  if (text.empty()) return bad(text, "must not be empty");
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c == 127; })) {
    return bad(text, "must not contain white space or control characters");
  }
  Device d;
  d.text = text;
  for (const auto& [prefix, kind] :
       {std::pair<std::string_view, Kind>{"iface:", Kind::kInterface}, {"tap:", Kind::kTap}}) {
    if (!text.starts_with(prefix)) continue;
    d.kind = kind;
    d.name = d.interface = text.substr(prefix.size());
    if (KernelInterface::valid_name(d.name)) return d;
    return bad(text, "an interface's name has 1 to 15 characters and none of / : , = [ ]");
  }
  const size_t comma = std::min(text.find(','), text.size());
  const std::string_view name = text.substr(0, comma);
  if (comma < text.size()) d.arguments = text.substr(comma + 1);
  if (const auto pci = canonical_pci(name)) {
    d.kind = Kind::kPci;
    d.name = *pci;
    return d;
  }
  if (name.empty() || name.find_first_of(":/=") != std::string_view::npos) {
    return bad(text,
               "neither a PCI address (0000:3b:02.0), nor iface:NAME, nor tap:NAME, nor a DPDK "
               "device (net_…)");
  }
  d.kind = Kind::kVdev;
  d.name = name;
  d.interface = interface_of_vdev(name, d.arguments);
  return d;
}

std::string Device::dpdk_name() const {
  switch (kind) {
    case Kind::kInterface:
      return "net_pcap_" + name;
    case Kind::kTap:
      return "net_tap_" + name;
    case Kind::kPci:
    case Kind::kVdev:
      break;
  }
  return name;
}

std::string Device::devargs(unsigned tx_queues) const {
  std::string out = dpdk_name();
  switch (kind) {
    case Kind::kInterface:
      // rx_iface_in and not rx_iface: frames that this host sends are none that came in.
      out += ",rx_iface_in=" + name;
      for (unsigned q = 0; q < tx_queues; ++q) out += ",tx_iface=" + name;
      return out;
    case Kind::kTap:
      return out + ",iface=" + name;
    case Kind::kPci:
    case Kind::kVdev:
      break;
  }
  return arguments.empty() ? out : out + "," + arguments;
}

Result<void> check_distinct(std::span<const Device> devices) {
  for (size_t i = 0; i < devices.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const Device& a = devices[j];
      const Device& b = devices[i];
      if (a.dpdk_name() == b.dpdk_name() || (!a.interface.empty() && a.interface == b.interface)) {
        return Error{ErrorCode::kConflict, "is the same device as \"" + a.text + "\"",
                     "device \"" + b.text + "\""};
      }
    }
  }
  return {};
}

std::vector<std::string> pci_allow_list(std::span<const Device> devices) {
  std::vector<std::string> out;
  for (const Device& device : devices) {
    if (device.kind == Device::Kind::kPci) out.push_back(device.devargs(0));
  }
  return out;
}

uint32_t memif_buffer(const Device& device) {
  if (device.kind != Device::Kind::kVdev || !device.name.starts_with("net_memif")) return 0;
  const std::string given = argument(device.arguments, "bsize");
  uint16_t bytes = 2048;
  // What is no number the driver refuses.
  if (!given.empty()) std::from_chars(given.data(), given.data() + given.size(), bytes);
  return bytes;
}

bool lends_buffers(const Device& device) {
  return memif_buffer(device) != 0 && argument(device.arguments, "zero-copy") == "yes";
}

Result<uint16_t> expected_mtu(const Device& device) {
  constexpr uint16_t kEthernet = 1500;
  if (const uint32_t buffer = memif_buffer(device); buffer != 0) return Mempool::mtu_of(buffer);
  const bool tap = device.dpdk_name().starts_with("net_tap");  // gives the tap 1,500
  if (device.interface.empty() || tap) return kEthernet;
  auto kernel = KernelInterface::query(device.interface);
  if (kernel) return static_cast<uint16_t>(std::min<uint32_t>(kernel->mtu, UINT16_MAX));
  return std::move(kernel).error().within("device \"" + device.text + "\"");
}

}  // namespace rampart
