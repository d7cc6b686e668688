// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packet_builder.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace rampart::test {
namespace {

constexpr uint8_t kFragmentHeader = 44;

void put16(Bytes& to, uint16_t v) {
  to.push_back(static_cast<uint8_t>(v >> 8));
  to.push_back(static_cast<uint8_t>(v));
}
void put32(Bytes& to, uint32_t v) {
  put16(to, static_cast<uint16_t>(v >> 16));
  put16(to, static_cast<uint16_t>(v));
}
void set16(Bytes& to, size_t at, uint16_t v) {
  to[at] = static_cast<uint8_t>(v >> 8);
  to[at + 1] = static_cast<uint8_t>(v);
}
// One byte at a time: inlined range insertion makes g++ 12 see overruns that are not there.
void append(Bytes& to, const Bytes& from) {
  to.reserve(to.size() + from.size());
  for (uint8_t b : from) to.push_back(b);
}
void append(Bytes& to, const IpAddress& a) {
  to.insert(to.end(), a.bytes().begin(), a.bytes().begin() + (a.is_v4() ? 4 : 16));
}

[[noreturn]] void give_up(const char* what, std::string_view text) {
  std::fprintf(stderr, "packet_builder: %s: %s\n", what, std::string(text).c_str());
  std::abort();
}

IpAddress address(std::string_view text) {
  auto parsed = IpAddress::parse(text);
  if (!parsed) give_up("not an address", text);
  return *parsed;
}

Bytes mac(std::string_view text) {
  Bytes out;
  unsigned b[6];
  if (std::sscanf(std::string(text).c_str(), "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4],
                  &b[5]) != 6) {
    give_up("not a MAC address", text);
  }
  for (unsigned v : b) out.push_back(static_cast<uint8_t>(v));
  return out;
}

Bytes pattern(size_t n) {
  Bytes out(n);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<uint8_t>(i * 7 + 1);
  return out;
}

}  // namespace

uint16_t plain_checksum(const Bytes& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : bytes[i];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(~sum);
}

uint32_t plain_crc32c(const Bytes& bytes) {
  uint32_t crc = 0xffffffff;
  for (uint8_t b : bytes) {
    crc ^= b;
    for (int i = 0; i < 8; ++i) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
  }
  return ~crc;
}

// Not inline: there g++ 12 takes the addresses for uninitialised.
PacketBuilder::PacketBuilder() : macs_{0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1} {}

PacketBuilder& PacketBuilder::eth(std::string_view source, std::string_view destination) {
  macs_ = mac(destination);
  append(macs_, mac(source));
  return *this;
}
PacketBuilder& PacketBuilder::vlan(uint16_t vid, uint16_t tpid, uint8_t priority) {
  tags_.push_back({tpid, static_cast<uint16_t>(priority << 13 | vid)});
  return *this;
}
PacketBuilder& PacketBuilder::ether_type(uint16_t type) {
  return ether_type_ = type, *this;
}
PacketBuilder& PacketBuilder::arp(std::string_view sender, std::string_view target) {
  arp_ = {0, 1, 0x08, 0, 6, 4, 0, 1};
  arp_.insert(arp_.end(), macs_.begin() + 6, macs_.end());
  append(arp_, address(sender));
  append(arp_, Bytes(6));
  append(arp_, address(target));
  return *this;
}
PacketBuilder& PacketBuilder::pad_to(size_t n) {
  return pad_to_ = n, *this;
}
PacketBuilder& PacketBuilder::truncate(size_t n) {
  return truncate_ = n, *this;
}

PacketBuilder& PacketBuilder::ipv4(std::string_view source, std::string_view destination) {
  ip(source, destination);
  if (!source_->is_v4()) give_up("not IPv4", source);
  return *this;
}
PacketBuilder& PacketBuilder::ipv6(std::string_view source, std::string_view destination) {
  ip(source, destination);
  if (source_->is_v4()) give_up("not IPv6", source);
  return *this;
}
PacketBuilder& PacketBuilder::ip(std::string_view source, std::string_view destination) {
  source_ = address(source);
  destination_ = address(destination);
  if (source_->is_v4() != destination_->is_v4()) give_up("two families", source);
  return *this;
}
PacketBuilder& PacketBuilder::ttl(uint8_t v) {
  return ttl_ = v, *this;
}
PacketBuilder& PacketBuilder::protocol(uint8_t v) {
  return protocol_ = v, *this;
}
PacketBuilder& PacketBuilder::ip_version(uint8_t v) {
  return ip_version_ = v, *this;
}
PacketBuilder& PacketBuilder::ihl(uint8_t words) {
  return ihl_ = words, *this;
}
PacketBuilder& PacketBuilder::total_length(uint16_t v) {
  return total_length_ = v, *this;
}
PacketBuilder& PacketBuilder::ip_checksum(uint16_t v) {
  return ip_checksum_ = v, *this;
}
PacketBuilder& PacketBuilder::ip_option(const Bytes& option) {
  append(ip_options_, option);
  return *this;
}
PacketBuilder& PacketBuilder::fragment(uint16_t offset, bool more, uint32_t id) {
  fragment_offset_ = offset;
  more_ = more;
  fragment_id_ = id;
  if (source_ && !source_->is_v4()) {
    Bytes header{0, 0};
    put16(header, static_cast<uint16_t>((offset & 0xfff8) | (more ? 1 : 0)));
    put32(header, id);
    extensions_.push_back({kFragmentHeader, header});
  }
  return *this;
}

PacketBuilder& PacketBuilder::hop_by_hop(const Bytes& options) {
  Bytes h{0, 0};
  append(h, options);
  h.resize((h.size() + 7) / 8 * 8);
  h[1] = static_cast<uint8_t>(h.size() / 8 - 1);
  return extension(0, h);
}
PacketBuilder& PacketBuilder::destination_options(const Bytes& options) {
  hop_by_hop(options);
  extensions_.back().number = 60;
  return *this;
}
PacketBuilder& PacketBuilder::routing(uint8_t type, uint8_t segments_left, unsigned addresses) {
  Bytes h{0, static_cast<uint8_t>(addresses * 2), type, segments_left, 0, 0, 0, 0};
  append(h, Bytes(16 * size_t{addresses}, 0x20));
  return extension(43, h);
}
PacketBuilder& PacketBuilder::authentication(unsigned icv_bytes) {
  Bytes h(12 + size_t{icv_bytes});
  h[1] = static_cast<uint8_t>(h.size() / 4 - 2);
  return extension(51, h);
}
PacketBuilder& PacketBuilder::extension(uint8_t number, const Bytes& bytes) {
  extensions_.push_back({number, bytes});
  return *this;
}

PacketBuilder& PacketBuilder::tcp(uint16_t source, uint16_t destination, uint8_t flags) {
  l4_ = L4::kTcp;
  source_port_ = source;
  destination_port_ = destination;
  tcp_flags_ = flags;
  return *this;
}
PacketBuilder& PacketBuilder::tcp_sequence(uint32_t sequence, uint32_t acknowledgement) {
  sequence_ = sequence;
  acknowledgement_ = acknowledgement;
  return *this;
}
PacketBuilder& PacketBuilder::tcp_window(uint16_t w) {
  return window_ = w, *this;
}
PacketBuilder& PacketBuilder::tcp_options(const Bytes& o) {
  return tcp_options_ = o, *this;
}
PacketBuilder& PacketBuilder::data_offset(uint8_t words) {
  return data_offset_ = words, *this;
}
PacketBuilder& PacketBuilder::udp(uint16_t source, uint16_t destination) {
  l4_ = L4::kUdp;
  source_port_ = source;
  destination_port_ = destination;
  return *this;
}
PacketBuilder& PacketBuilder::udp_length(uint16_t v) {
  return udp_length_ = v, *this;
}
PacketBuilder& PacketBuilder::sctp(uint16_t source, uint16_t destination,
                                   std::optional<uint32_t> tag) {
  l4_ = L4::kSctp;
  source_port_ = source;
  destination_port_ = destination;
  tag_ = tag;
  return *this;
}
PacketBuilder& PacketBuilder::chunk(uint8_t type, size_t body_bytes, uint8_t flags,
                                    std::optional<uint16_t> length) {
  chunks_.push_back(type);
  chunks_.push_back(flags);
  put16(chunks_, length.value_or(static_cast<uint16_t>(4 + body_bytes)));
  append(chunks_, pattern(body_bytes));
  chunks_.resize((chunks_.size() + 3) / 4 * 4);
  return *this;
}
PacketBuilder& PacketBuilder::chunk(uint8_t type, const Bytes& body, uint8_t flags) {
  chunks_.push_back(type);
  chunks_.push_back(flags);
  put16(chunks_, static_cast<uint16_t>(4 + body.size()));
  append(chunks_, body);
  chunks_.resize((chunks_.size() + 3) / 4 * 4);
  return *this;
}
PacketBuilder& PacketBuilder::init_chunk(uint8_t type, uint32_t initiate_tag) {
  Bytes body;
  put32(body, initiate_tag);
  put32(body, 106496);  // receiver window credit
  put16(body, 10);      // streams out
  put16(body, 10);      // streams in
  put32(body, 1);       // first TSN
  return chunk(type, body);
}
PacketBuilder& PacketBuilder::icmp(uint8_t type, uint8_t code, uint32_t rest) {
  l4_ = L4::kIcmp;
  icmp_type_ = type;
  icmp_code_ = code;
  icmp_rest_ = rest;
  return *this;
}
PacketBuilder& PacketBuilder::echo_request(uint16_t id, uint16_t sequence) {
  if (!source_) give_up("say ipv4() or ipv6() first", "echo_request");
  return icmp(source_->is_v4() ? 8 : 128, 0, uint32_t{id} << 16 | sequence);
}
PacketBuilder& PacketBuilder::echo_reply(uint16_t id, uint16_t sequence) {
  if (!source_) give_up("say ipv4() or ipv6() first", "echo_reply");
  return icmp(source_->is_v4() ? 0 : 129, 0, uint32_t{id} << 16 | sequence);
}
PacketBuilder& PacketBuilder::quote(const PacketBuilder& other, size_t limit) {
  payload_ = other.ip_bytes();
  payload_.resize(std::min(payload_.size(), limit));
  return *this;
}
PacketBuilder& PacketBuilder::l4_checksum(uint16_t v) {
  return l4_checksum_ = v, *this;
}
PacketBuilder& PacketBuilder::wrong_l4_checksum() {
  return wrong_checksum_ = true, *this;
}
PacketBuilder& PacketBuilder::payload(size_t n) {
  return payload_ = pattern(n), *this;
}
PacketBuilder& PacketBuilder::payload(Bytes b) {
  return payload_ = std::move(b), *this;
}
PacketBuilder& PacketBuilder::payload(std::string_view text) {
  payload_.assign(text.begin(), text.end());
  return *this;
}

uint8_t PacketBuilder::transport_number() const {
  if (protocol_) return *protocol_;
  switch (l4_) {
    case L4::kTcp:
      return 6;
    case L4::kUdp:
      return 17;
    case L4::kSctp:
      return 132;
    case L4::kIcmp:
      return source_->is_v4() ? 1 : 58;
    case L4::kNone:
      break;
  }
  return 59;  // no next header
}

Bytes PacketBuilder::transport_bytes() const {
  if (fragment_offset_ > 0 || l4_ == L4::kNone) return payload_;
  Bytes out;
  size_t checksum_at = 0;
  switch (l4_) {
    case L4::kTcp: {
      put16(out, source_port_);
      put16(out, destination_port_);
      put32(out, sequence_);
      put32(out, acknowledgement_);
      const auto words = static_cast<uint8_t>(5 + tcp_options_.size() / 4);
      out.push_back(static_cast<uint8_t>(data_offset_.value_or(words) << 4));
      out.push_back(tcp_flags_);
      put16(out, window_);
      append(out, Bytes(4));
      append(out, tcp_options_);
      checksum_at = 16;
      break;
    }
    case L4::kUdp:
      put16(out, source_port_);
      put16(out, destination_port_);
      put16(out, udp_length_.value_or(static_cast<uint16_t>(8 + payload_.size())));
      put16(out, 0);
      checksum_at = 6;
      break;
    case L4::kSctp: {
      put16(out, source_port_);
      put16(out, destination_port_);
      put32(out, tag_.value_or(!chunks_.empty() && chunks_[0] == 1 ? 0 : 0x01020304));
      put32(out, 0);
      append(out, chunks_);
      append(out, payload_);
      const uint32_t crc = plain_crc32c(out) ^ (wrong_checksum_ ? 0x10000U : 0U);
      for (int i = 0; i < 4; ++i) out[8 + i] = static_cast<uint8_t>(crc >> (8 * i));
      return out;
    }
    case L4::kIcmp:
      out = {icmp_type_, icmp_code_, 0, 0};
      put32(out, icmp_rest_);
      checksum_at = 2;
      break;
    case L4::kNone:
      break;
  }
  append(out, payload_);

  Bytes summed;
  if (l4_ != L4::kIcmp || !source_->is_v4()) {
    append(summed, *source_);
    append(summed, *destination_);
    put32(summed, static_cast<uint32_t>(out.size()));
    put32(summed, transport_number());
  }
  append(summed, out);
  uint16_t sum = plain_checksum(summed);
  if (l4_ == L4::kUdp && sum == 0) sum = 0xffff;
  if (wrong_checksum_) sum = static_cast<uint16_t>(sum == 0x5555 ? 0x1111 : 0x5555);
  set16(out, checksum_at, l4_checksum_.value_or(sum));
  return out;
}

Bytes PacketBuilder::around(const Bytes& transport) const {
  Bytes out;
  if (!source_) return out;
  if (source_->is_v4()) {
    Bytes options = ip_options_;
    options.resize((options.size() + 3) / 4 * 4);
    const size_t header = 20 + options.size();
    out.push_back(static_cast<uint8_t>(ip_version_.value_or(4) << 4 |
                                       ihl_.value_or(static_cast<uint8_t>(header / 4))));
    out.push_back(0);
    put16(out, total_length_.value_or(static_cast<uint16_t>(header + transport.size())));
    put16(out, static_cast<uint16_t>(fragment_id_));
    put16(out, static_cast<uint16_t>(fragment_offset_ / 8 | (more_ ? 0x2000 : 0)));
    out.push_back(ttl_);
    out.push_back(transport_number());
    put16(out, 0);
    append(out, *source_);
    append(out, *destination_);
    append(out, options);
    // With a false IHL the checksum is that of the header the field states.
    Bytes stated = out;
    append(stated, transport);
    stated.resize(std::min(stated.size(), size_t{out[0] & 0xfU} * 4));
    set16(out, 10, ip_checksum_.value_or(plain_checksum(stated)));
    append(out, transport);
    return out;
  }
  Bytes chain;
  for (size_t i = 0; i < extensions_.size(); ++i) {
    Bytes header = extensions_[i].bytes;
    if (!header.empty()) {
      header[0] = i + 1 < extensions_.size() ? extensions_[i + 1].number : transport_number();
    }
    append(chain, header);
  }
  out = {static_cast<uint8_t>(ip_version_.value_or(6) << 4), 0, 0, 0};
  put16(out, total_length_.value_or(static_cast<uint16_t>(chain.size() + transport.size())));
  out.push_back(extensions_.empty() ? transport_number() : extensions_.front().number);
  out.push_back(ttl_);
  append(out, *source_);
  append(out, *destination_);
  append(out, chain);
  append(out, transport);
  return out;
}

Bytes PacketBuilder::ethernet_header() const {
  Bytes out = macs_;
  for (const Tag& tag : tags_) {
    put16(out, tag.tpid);
    put16(out, tag.control);
  }
  const uint16_t natural = !source_ ? 0x0806 : source_->is_v4() ? 0x0800 : 0x86dd;
  put16(out, ether_type_.value_or(natural));
  return out;
}

Bytes PacketBuilder::ip_bytes() const {
  return around(transport_bytes());
}

Bytes PacketBuilder::bytes() const {
  Bytes out = ethernet_header();
  if (source_) {
    append(out, ip_bytes());
  } else {
    append(out, arp_.empty() ? payload_ : arp_);
  }
  if (out.size() < pad_to_) out.resize(pad_to_);
  if (truncate_) out.resize(std::min(out.size(), *truncate_));
  return out;
}

std::vector<Bytes> PacketBuilder::fragments(size_t each, uint32_t id) const {
  const Bytes whole = transport_bytes();
  const size_t step = std::max<size_t>(each / 8 * 8, 8);
  std::vector<Bytes> out;
  for (size_t at = 0; at < whole.size(); at += step) {
    const size_t end = std::min(at + step, whole.size());
    PacketBuilder piece = *this;
    piece.protocol_ = transport_number();
    piece.fragment(static_cast<uint16_t>(at), end < whole.size(), id);
    Bytes frame = piece.ethernet_header();
    append(frame, piece.around(Bytes(whole.begin() + static_cast<std::ptrdiff_t>(at),
                                     whole.begin() + static_cast<std::ptrdiff_t>(end))));
    out.push_back(std::move(frame));
  }
  return out;
}

}  // namespace rampart::test
