// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/base/ip_address.hpp"
#include "dataplane/packet/parsed_packet.hpp"

namespace rampart::test {

using Bytes = std::vector<uint8_t>;

/// Makes one Ethernet frame that reads aloud:
///
///     packet().vlan(100).ipv4("10.0.1.7", "10.0.2.9").tcp(40000, 443, kSyn).payload(10).bytes()
///
/// Lengths and checksums are right unless one of the knobs says otherwise. Say the network layer
/// before the transport layer; the rest may come in any order. Extension headers stand in the
/// packet in the order of the calls. Aborts with a message on an address that does not parse.
class PacketBuilder {
 public:
  PacketBuilder();

  // Ethernet.
  PacketBuilder& eth(std::string_view source, std::string_view destination);
  PacketBuilder& vlan(uint16_t vid, uint16_t tpid = 0x8100, uint8_t priority = 0);
  PacketBuilder& ether_type(uint16_t type);  ///< instead of the right one
  PacketBuilder& arp(std::string_view sender, std::string_view target);
  PacketBuilder& pad_to(size_t frame_bytes);  ///< zero bytes behind the IP packet
  PacketBuilder& truncate(size_t frame_bytes);

  // Network layer.
  PacketBuilder& ipv4(std::string_view source, std::string_view destination);
  PacketBuilder& ipv6(std::string_view source, std::string_view destination);
  /// Either family, by the text of the addresses.
  PacketBuilder& ip(std::string_view source, std::string_view destination);
  PacketBuilder& ttl(uint8_t value);       ///< or hop limit
  PacketBuilder& protocol(uint8_t value);  ///< of the transport header; for none of the below
  PacketBuilder& ip_version(uint8_t value);
  PacketBuilder& ihl(uint8_t words);
  PacketBuilder& total_length(uint16_t value);  ///< IPv4 total length or IPv6 payload length
  PacketBuilder& ip_checksum(uint16_t value);
  PacketBuilder& ip_option(const Bytes& option);  ///< IPv4; padded with zeros to four bytes
  /// IPv4: sets the fields. IPv6: adds a Fragment header. `offset` in bytes. With an offset above
  /// 0 no transport header is written, whatever was called.
  PacketBuilder& fragment(uint16_t offset, bool more, uint32_t id = 0x1234);

  // IPv6 extension headers. `options` are padded to a multiple of eight.
  PacketBuilder& hop_by_hop(const Bytes& options = {});
  PacketBuilder& destination_options(const Bytes& options = {});
  PacketBuilder& routing(uint8_t type, uint8_t segments_left, unsigned addresses = 1);
  PacketBuilder& authentication(unsigned icv_bytes = 12);
  /// Any header: its first byte will be the next header's number.
  PacketBuilder& extension(uint8_t number, const Bytes& bytes);

  // Transport.
  PacketBuilder& tcp(uint16_t source, uint16_t destination, uint8_t flags);
  PacketBuilder& tcp_sequence(uint32_t sequence, uint32_t acknowledgement = 0);
  PacketBuilder& tcp_window(uint16_t window);        ///< not scaled; 65535 otherwise
  PacketBuilder& tcp_options(const Bytes& options);  ///< a multiple of four bytes
  PacketBuilder& data_offset(uint8_t words);
  PacketBuilder& udp(uint16_t source, uint16_t destination);
  PacketBuilder& udp_length(uint16_t value);
  /// Without a `tag`: 0 if the first chunk is INIT (RFC 9260 §8.5.1), 0x01020304 otherwise.
  PacketBuilder& sctp(uint16_t source, uint16_t destination, std::optional<uint32_t> tag = {});
  /// Adds a chunk with a body of so many bytes; `length` instead of the right one.
  PacketBuilder& chunk(uint8_t type, size_t body_bytes, uint8_t flags = 0,
                       std::optional<uint16_t> length = {});
  PacketBuilder& chunk(uint8_t type, const Bytes& body, uint8_t flags = 0);
  /// An INIT or INIT ACK chunk with its fixed parameters (RFC 9260 §3.3.2).
  PacketBuilder& init_chunk(uint8_t type, uint32_t initiate_tag);
  /// ICMP or ICMPv6, by the network layer. `rest` is bytes 4 to 7 of the header, host order.
  PacketBuilder& icmp(uint8_t type, uint8_t code = 0, uint32_t rest = 0);
  PacketBuilder& echo_request(uint16_t id, uint16_t sequence = 1);
  PacketBuilder& echo_reply(uint16_t id, uint16_t sequence = 1);
  /// The payload is the start of another packet, from its IP header on.
  PacketBuilder& quote(const PacketBuilder& other, size_t limit = 512);
  PacketBuilder& l4_checksum(uint16_t value);  ///< not for SCTP
  PacketBuilder& wrong_l4_checksum();          ///< for all of them
  PacketBuilder& payload(size_t bytes);        ///< a pattern
  PacketBuilder& payload(Bytes bytes);
  PacketBuilder& payload(std::string_view text);

  /// The frame.
  Bytes bytes() const;
  /// From the IP header on, without padding.
  Bytes ip_bytes() const;
  /// The frame cut into IP fragments of at most `each` bytes of payload (rounded down to eight);
  /// transport checksums are those of the whole datagram. `id` names the datagram.
  std::vector<Bytes> fragments(size_t each, uint32_t id = 0x1234) const;

 private:
  struct Tag {
    uint16_t tpid, control;
  };
  struct Extension {
    uint8_t number;
    Bytes bytes;
  };
  enum class L4 : uint8_t { kNone, kTcp, kUdp, kSctp, kIcmp };

  Bytes ethernet_header() const;
  Bytes transport_bytes() const;
  Bytes around(const Bytes& transport) const;
  uint8_t transport_number() const;

  Bytes macs_;
  std::vector<Tag> tags_;
  std::optional<uint16_t> ether_type_;
  Bytes arp_;
  size_t pad_to_ = 0;
  std::optional<size_t> truncate_;

  std::optional<IpAddress> source_, destination_;
  uint8_t ttl_ = 64;
  std::optional<uint8_t> protocol_, ip_version_, ihl_;
  std::optional<uint16_t> total_length_, ip_checksum_;
  Bytes ip_options_;
  uint16_t fragment_offset_ = 0;
  bool more_ = false;
  uint32_t fragment_id_ = 0;
  std::vector<Extension> extensions_;

  L4 l4_ = L4::kNone;
  uint16_t source_port_ = 0, destination_port_ = 0;
  uint16_t window_ = 65535;
  uint8_t tcp_flags_ = 0, icmp_type_ = 0, icmp_code_ = 0;
  uint32_t sequence_ = 1000, acknowledgement_ = 0, icmp_rest_ = 0;
  std::optional<uint32_t> tag_;
  Bytes tcp_options_, chunks_, payload_;
  std::optional<uint8_t> data_offset_;
  std::optional<uint16_t> udp_length_, l4_checksum_;
  bool wrong_checksum_ = false;
};

inline PacketBuilder packet() {
  return {};
}

/// The Internet checksum as RFC 1071 §1 words it, byte by byte; the plain reference for tests.
uint16_t plain_checksum(const Bytes& bytes);
/// CRC32c bit by bit (RFC 9260 appendix A), the plain reference for tests.
uint32_t plain_crc32c(const Bytes& bytes);

inline constexpr uint8_t kFin = tcp_flag::kFin, kSyn = tcp_flag::kSyn, kRst = tcp_flag::kRst,
                         kPsh = tcp_flag::kPsh, kAck = tcp_flag::kAck, kUrg = tcp_flag::kUrg;

}  // namespace rampart::test
