// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tools/rampartctl/checking.hpp"
#include "tools/rampartctl/session.hpp"

/// A Report in the three ways in which validate shows it, and the table of its rules.
namespace rampart::ctl {

/// For people: a paragraph for each finding, with the line it is about; then mended documents.
void print_report(Session& session, const std::vector<SourceFile>& files, const Report& report);

/// The same for programs; lines and columns (of characters) count from 1, ends are exclusive.
std::string report_json(const std::vector<SourceFile>& files, const Report& report);

/// SARIF 2.1.0 (OASIS standard, 27 March 2020), as code hosts take it.
std::string report_sarif(const std::vector<SourceFile>& files, const Report& report);

void print_rules(Session& session);
std::string rules_json();
/// The rules as a table for the reference page.
std::string rules_markdown();

/// What the input did not allow to judge, and what was passed over; a sentence each.
std::vector<std::string> reservations(const Report& report);

}  // namespace rampart::ctl
