// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/rampartctl/documents.hpp"
#include "tools/rampartctl/session.hpp"

/// What the commands share that send objects to rampartd.
namespace rampart::ctl {

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kEventsType = "application/x-ndjson";

/// The documents of the command's -f options. Nothing if one is wrong; then that has been said.
std::optional<std::vector<Document>> read_input(Session& session);

/// One v1 List of all documents; Lists among them stand within it.
std::string list_of(const std::vector<Document>& documents);

/// The value of --if-match, if it was given; false (that has been said) if it is no revision.
bool take_if_match(Session& session, Request& request);

struct Sent {
  Response response;
  Answer answer;
};

/// Sends a request and takes its JSON answer. Nothing if it was refused; then that has been said,
/// with the place in the input that `place_of` finds for the problem document.
std::optional<Sent> send(Session& session, const Request& request,
                         const std::function<std::string(const Json&)>& place_of);

enum class Swapped : uint8_t { kNo, kYes };  ///< whether a new rule set came into force

/// What was compiled, skipped and warned of; the same in the answers of PUT, PATCH and validate.
void print_outcome(Session& session, const Json& answer, Swapped swapped);

/// The answer of PUT and PATCH, as -o says; returns the exit status.
int show_accepted(Session& session, const Sent& sent);

}  // namespace rampart::ctl
