// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace rampart {

/// What went wrong, as a caller may act on it. One line of meaning each.
enum class ErrorCode : uint8_t {
  kInvalid,      ///< the input breaks a rule; the sender must change it
  kNotFound,     ///< the named thing is not there
  kConflict,     ///< it does not fit what is in force (revision, order of calls)
  kTooLarge,     ///< over a limit that is set or built in
  kNoMemory,     ///< memory or a DPDK heap is exhausted
  kUnsupported,  ///< valid, but this build or driver cannot do it
  kIo,           ///< a system call, device or file failed
  kDenied,       ///< the caller may not do this
};

/// The name of a code as it stands in logs and problem documents, e.g. "invalid".
constexpr std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return "invalid";
    case ErrorCode::kNotFound:
      return "not-found";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kTooLarge:
      return "too-large";
    case ErrorCode::kNoMemory:
      return "no-memory";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kDenied:
      return "denied";
  }
  return "unknown";
}

/// An error on its way up: `what` is the reason, `where` the place, outermost first
/// ("NetworkPolicy web/allow: spec.ingress[0].ports[1].endPort").
struct Error {
  ErrorCode code = ErrorCode::kInvalid;
  std::string what;
  std::string where;

  /// Puts one more layer in front of the place; `glue` stands between the two.
  Error within(std::string_view outer, std::string_view glue = ": ") && {
    where = where.empty() ? std::string(outer) : std::string(outer) + std::string(glue) + where;
    return std::move(*this);
  }
  /// "where: what", for people.
  std::string text() const { return where.empty() ? what : where + ": " + what; }
};

/// A value or an Error; the names are those of C++23's std::expected.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace rampart
