// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "dataplane/base/result.hpp"

namespace rampart::kube {

/// What sort of fault it is: what a checker of files groups its findings by.
enum class Fault : uint8_t {
  kValue,    ///< a value that is not allowed here
  kType,     ///< a string where a number must stand …
  kMissing,  ///< a member that must be there
  kTwice,    ///< a member or an object that stands there twice
  kName,     ///< the name of an object or a namespace
  kLabel,    ///< the key or value of a label
  kCidr,     ///< an address block, or how blocks lie within each other
  kPort,     ///< a port, its name or its range
  kKind,     ///< an apiVersion or kind that nobody knows
};

/// Why a snapshot or a batch of events was refused, in parts, as a problem document shows them.
/// Each of `kind`, `object` and `field` is empty where it does not apply (broken JSON has none).
struct Refusal {
  ErrorCode code = ErrorCode::kInvalid;
  std::string kind;    ///< "NetworkPolicy"
  std::string object;  ///< "web/allow"; the place in the input if the object has no usable name
  std::string field;   ///< "spec.ingress[0].ports[1].endPort"
  std::string reason;  ///< "must not be below port (90)"
  Fault fault = Fault::kValue;

  /// "NetworkPolicy web/allow: spec.ingress[0]…"; what precedes the reason.
  std::string place() const {
    std::string text = kind;
    if (!object.empty()) text += text.empty() ? object : " " + object;
    if (!field.empty()) text += text.empty() ? field : ": " + field;
    return text;
  }
  /// "PLACE: REASON", for people.
  std::string text() const { return error().text(); }
  Error error() const { return Error{code, reason, place()}; }
};

/// A value or a Refusal, with the names of Result.
template <typename T>
class [[nodiscard]] Checked {
 public:
  Checked(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Checked(Refusal refusal) : state_(std::in_place_index<1>, std::move(refusal)) {}

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
  Refusal& error() & { return std::get<1>(state_); }
  const Refusal& error() const& { return std::get<1>(state_); }
  Refusal&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Refusal> state_;
};

}  // namespace rampart::kube
