// SPDX-License-Identifier: Apache-2.0
#include "tests/support/impairment.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace rampart::test {
namespace {

constexpr uint32_t kMostMicroseconds = 10'000'000, kMostFrames = 65536;

Error refuse(std::string_view entry, std::string_view why) {
  return Error{ErrorCode::kInvalid, std::string(why), std::string(entry)};
}

/// The whole of `text` as a number from `least` to `most`.
template <typename Number>
bool read_number(std::string_view text, Number least, Number most, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  // Written so that a NaN is refused.
  return error == std::errc{} && end == text.data() + text.size() && out >= least && out <= most;
}

/// "MIN-MAX" in microseconds.
bool read_range(std::string_view text, uint32_t& low, uint32_t& high) {
  const size_t dash = text.find('-');
  return dash != std::string_view::npos &&
         read_number(text.substr(0, dash), 0U, kMostMicroseconds, low) &&
         read_number(text.substr(dash + 1), low, kMostMicroseconds, high);
}

}  // namespace

Result<ImpairmentSpec> parse_impairment(std::string_view text) {
  ImpairmentSpec spec;
  std::set<std::string_view> seen;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view entry = text.substr(at, comma - at);
    at = comma + 1;
    const size_t equals = entry.find('=');
    if (equals == std::string_view::npos) return refuse(entry, "is not NAME=VALUE");
    const std::string_view name = entry.substr(0, equals), value = entry.substr(equals + 1);
    if (!seen.insert(name).second) return refuse(entry, "stands twice");

    const std::pair<std::string_view, double*> chances[] = {
        {"loss", &spec.loss}, {"duplicate", &spec.duplicate}, {"reorder", &spec.reorder}};
    const auto* chance = std::find_if(std::begin(chances), std::end(chances),
                                      [name](const auto& one) { return one.first == name; });
    if (chance != std::end(chances)) {
      if (!read_number(value, 0.0, 1.0, *chance->second)) {
        return refuse(entry, "must be a probability from 0 to 1");
      }
    } else if (name == "delay-us") {
      if (!read_range(value, spec.delay_min_us, spec.delay_max_us)) {
        return refuse(entry, "must be MIN-MAX, 0 to 10000000");
      }
    } else if (name == "reorder-us") {
      if (!read_number(value, 1U, kMostMicroseconds, spec.reorder_us)) {
        return refuse(entry, "must be 1 to 10000000");
      }
    } else if (name == "queue") {
      if (!read_number(value, 1U, kMostFrames, spec.queue)) {
        return refuse(entry, "must be 1 to 65536");
      }
    } else {
      return refuse(entry, "is not known");
    }
  }
  return spec;
}

void Impairment::take(Frame frame, uint64_t now_us) {
  ++tally_.received;
  if (happens(spec_.loss)) {
    ++tally_.lost;
    return;
  }
  if (happens(spec_.duplicate)) {
    ++tally_.duplicated;
    enqueue(frame, false, now_us);
    enqueue(std::move(frame), true, now_us);
  } else {
    enqueue(std::move(frame), false, now_us);
  }
}

void Impairment::enqueue(Frame frame, bool copy, uint64_t now_us) {
  if (line_.size() >= spec_.queue) {
    ++tally_.overflowed;
    return;
  }
  const uint64_t delay =
      spec_.delay_min_us + up_to(uint64_t{spec_.delay_max_us} - spec_.delay_min_us);
  const uint64_t in_order = std::max(last_in_order_us_, now_us + delay);
  uint64_t due = in_order;
  if (happens(spec_.reorder)) {
    due += 1 + up_to(spec_.reorder_us - 1);
  } else {
    last_in_order_us_ = in_order;
  }
  if (due > now_us) ++tally_.delayed;
  line_.push({due, ++numbers_, copy, std::move(frame)});
}

std::optional<Frame> Impairment::give(uint64_t now_us) {
  if (line_.empty() || line_.top().due_us > now_us) return std::nullopt;
  Travelling next = line_.top();
  line_.pop();
  if (!next.copy) {
    if (next.number < furthest_) ++tally_.reordered;
    furthest_ = std::max(furthest_, next.number);
  }
  ++tally_.sent;
  return std::move(next.frame);
}

std::optional<uint64_t> Impairment::next_due_us() const {
  if (line_.empty()) return std::nullopt;
  return line_.top().due_us;
}

/// By hand: what std's distributions make of a seed differs from library to library.
bool Impairment::happens(double probability) {
  return static_cast<double>(random_() >> 11) * 0x1p-53 < probability;
}

uint64_t Impairment::up_to(uint64_t most) {
  return random_() % (most + 1);
}

}  // namespace rampart::test
