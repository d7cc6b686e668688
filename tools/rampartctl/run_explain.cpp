// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/explain/document.hpp"
#include "dataplane/base/ip_address.hpp"
#include "tools/rampartctl/cluster_files.hpp"
#include "tools/rampartctl/commands.hpp"

namespace rampart::ctl {
namespace {

constexpr int kDeniedStatus = 3;

struct ProtocolPort {
  std::string protocol;  ///< upper case
  std::string port;      ///< empty for protocols that have none
};

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

bool has_ports(std::string_view protocol) {
  return protocol == "TCP" || protocol == "UDP" || protocol == "SCTP";
}

/// "TCP/80", "80/tcp", "ICMP", "IP/47".
Result<ProtocolPort> parse_protocol_port(std::string_view text) {
  const size_t slash = text.find('/');
  ProtocolPort parsed{upper(text.substr(0, slash)), {}};
  if (slash != std::string_view::npos) parsed.port = text.substr(slash + 1);
  if (has_ports(upper(parsed.port))) {
    std::swap(parsed.protocol, parsed.port);
    parsed.protocol = upper(parsed.protocol);
  }
  const auto refuse = [&](const std::string& why) {
    return Error{
        ErrorCode::kInvalid, why + " (PROTO/PORT is like TCP/80, UDP/53, ICMP or IP/47)", {}};
  };
  if (has_ports(parsed.protocol)) {
    if (parsed.port.empty()) return refuse(parsed.protocol + " wants a port");
    if (auto number = parse_number(parsed.port, 1, 65535, "the port"); !number) {
      return refuse(number.error().what);
    }
  } else if (parsed.protocol == "IP") {
    if (auto number = parse_number(parsed.port, 0, 255, "the protocol"); !number) {
      return refuse(number.error().what);
    }
    parsed.protocol = std::exchange(parsed.port, {});
  } else if (!parsed.port.empty() || parsed.protocol.empty() ||
             std::isalpha(static_cast<unsigned char>(parsed.protocol[0])) == 0) {
    return refuse("'" + std::string(text) + "' is no protocol and port");
  }
  return parsed;
}

/// "10.0.0.1:80" or "[fd00::1]:80", as flows are listed -> the address, and the port. Anything else
/// stays as it is.
std::pair<std::string, std::string> split_port(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || text.find('/') != std::string::npos) return {text, {}};
  std::string address = text.substr(0, colon);
  const bool bracketed = address.starts_with('[') && address.ends_with(']');
  if (bracketed) address = address.substr(1, address.size() - 2);
  const auto parsed = IpAddress::parse(address);
  if (!parsed || parsed->is_v4() == bracketed) return {text, {}};
  return {std::move(address), text.substr(colon + 1)};
}

/// "web/a (10.0.0.1)", or the address alone.
std::string peer_text(const Json& peer) {
  const std::string pod = peer["pod"].text(""), address = peer["address"].text("");
  if (pod.empty()) return address.empty() ? peer["text"].text() : address;
  return address.empty() ? pod : pod + " (" + address + ")";
}

/// A rule as its author finds it: "web/allow, spec.ingress[0]: peer …, port …".
std::string rule_text(const Json& rule) {
  std::string text = rule["policy"].text() + ", " + rule["path"].text() + ": ";
  text += rule["peer"].exists() ? "peer " + rule["peer"].text() : "any peer";
  text += rule["port"].exists() ? ", port " + rule["port"].text() : ", any port";
  return text;
}

/// What came nearest to admitting it, one line a rule.
void print_nearest(Session& session, const Json& nearest) {
  std::string_view head = "  nearest miss ";
  for (const Json& miss : nearest.items()) {
    session.out() << head
                  << printable(miss["policy"].text() + ", " + miss["path"].text() + ": " +
                               miss["what"].text())
                  << '\n';
    head = "  next         ";
  }
}

/// The live flows of which such a packet would be one.
void print_flows(Session& session, const Json& flows) {
  if (!flows.exists()) return;
  session.out() << '\n';
  if (flows.items().empty()) session.out() << "no live flow: the next packet opens a new one\n";
  for (const Json& flow : flows.items()) {
    const auto end = [&](const std::string& side) {
      const std::string address = flow[side].text(), port = flow[side + "_port"].text();
      if (port == "0") return flow[side].text();
      return (address.find(':') == std::string::npos ? address : "[" + address + "]") + ":" + port;
    };
    const std::string state = flow["state"].text();
    session.out() << "live flow    "
                  << printable(flow["protocol"].text() + " " + end("source") + " to " +
                               end("destination") + ", " + state)
                  << ", judged under revision " << flow["revision"].text() << '\n';
    std::string rules;
    for (const char* direction : {"egress", "ingress"}) {
      const Json rule = flow[std::string(direction) + "_rule"];
      if (rule.exists()) rules += (rules.empty() ? "" : ", ") + rule.text();
    }
    if (!rules.empty()) session.out() << "  admitted by  " << printable(rules) << '\n';
    if (state == "cut") {
      session.out() << "  it is not allowed any more, and is reset with its next packet\n";
    } else if (flow["answer"].truth()) {
      session.out() << "  this would be an answer in it, and answers pass whatever the policies "
                       "above say\n";
    } else {
      session.out() << "  this would be a packet of it; it passes as long as the policies allow "
                       "it\n";
    }
  }
}

/// `asked`: whether what it says has decided anything.
void print_direction(Session& session, std::string_view name, std::string_view whose,
                     const Json& direction, bool asked) {
  const bool allowed = direction["allowed"].truth();
  const bool isolated = direction["isolated"].truth();
  session.out() << '\n'
                << name << " of " << printable(whose) << ": "
                << (allowed ? session.style("allowed", Style::kGood)
                            : session.style("denied", Style::kBad))
                << '\n';
  if (!asked) {
    session.out() << "  (egress of the source blocks it before ingress is asked)\n";
  }
  session.out() << "  isolated by  "
                << (isolated ? printable(direction["policies"].joined(", ", "a policy"))
                             : "no policy")
                << '\n';
  if (direction["rule"].exists()) {
    session.out() << "  admitted by  " << printable(rule_text(direction["rule"])) << '\n';
    if (const std::string admits = direction["rule"]["admits"].text(""); !admits.empty()) {
      session.out() << "               " << printable(admits) << '\n';
    }
  } else if (isolated) {
    session.out() << "  admitted by  " << (allowed ? "no rule is needed" : "no rule") << '\n';
  }
  print_nearest(session, direction["nearest"]);
  // Where policies decided, the lines above say it all.
  const bool said = !asked || (isolated && (!allowed || direction["rule"].exists()));
  if (const std::string why = direction["why"].text(""); !said && !why.empty()) {
    session.out() << "  " << printable(why) << '\n';
  }
}

/// What is to be known of the ends, and between their other addresses.
void print_notes(Session& session, const Json& answer) {
  for (const char* side : {"from", "to"}) {
    const std::string note = answer[side]["note"].text("");
    if (!note.empty()) {
      session.out() << "  " << printable(answer[side]["pod"].text() + " " + note) << '\n';
    }
  }
  const std::string verdict = answer["verdict"].text();
  for (const Json& other : answer["other_addresses"].items()) {
    const bool denied = other["verdict"].text() == "deny";
    const bool same = other["verdict"].text() == verdict;
    session.out() << "  " << (same ? "also " : "but ")
                  << session.style(denied ? "denied" : "allowed",
                                   denied ? Style::kBad : Style::kGood)
                  << printable(" from " + other["from"].text() + " to " + other["to"].text())
                  << (same ? "" : printable(": " + other["why"].text())) << '\n';
  }
}

void show(Session& session, const Json& answer) {
  const bool denied = answer["verdict"].text() == "deny";
  const std::string from = peer_text(answer["from"]), to = peer_text(answer["to"]);
  std::string what = answer["protocol"].text();
  if (answer["port"].number() != 0) what += "/" + answer["port"].text();
  session.out() << (denied ? session.style("deny", Style::kBad)
                           : session.style("allow", Style::kGood))
                << ": " << printable(from) << (denied ? " may not reach " : " may reach ")
                << printable(to) << " on " << printable(what);
  if (answer["revision"].exists()) {
    session.out() << " (revision " << answer["revision"].text() << ")";
  }
  session.out() << '\n';
  if (const std::string why = answer["why"].text(""); !why.empty()) {
    session.out() << "  " << printable(why) << '\n';
  }
  print_notes(session, answer);
  const Json egress = answer["egress"];
  print_direction(session, "egress", from, egress, true);
  print_direction(session, "ingress", to, answer["ingress"], egress["allowed"].truth() || !denied);
  print_flows(session, answer["flows"]);
}

/// With --exit-code the verdict; and never kDone if the answer contradicts itself.
int status_of(Session& session, const Json& answer) {
  if (answer["tables_agree"].exists() && !answer["tables_agree"].truth()) {
    return session.fail(
        "the compiled rule set gives another verdict than the policies: a bug in rampartd, please "
        "report it with the output of: rampartctl snapshot");
  }
  const bool denied = answer["verdict"].text() == "deny";
  return denied && session.invocation().has("exit-code") ? kDeniedStatus : kDone;
}

using Query = std::vector<std::pair<std::string_view, std::string>>;

/// The question on the command line, as the parameters of the call. Error: what is wrong with it.
Result<Query> read_question(const Invocation& invocation) {
  auto [from, from_port] = split_port(invocation.operands[0]);
  auto [to, to_port] = split_port(invocation.operands[1]);
  std::string service = invocation.operands[2];
  if (!to_port.empty() && service.find('/') == std::string::npos) service += "/" + to_port;
  auto what = parse_protocol_port(service);
  if (!what) return std::move(what).error();
  if (!from_port.empty()) {
    auto number = parse_number(from_port, 0, 65535, "the port of FROM");
    if (!number) return std::move(number).error();
  }
  const bool flows = invocation.has("flows");
  if (invocation.has("filename") && (flows || !from_port.empty())) {
    return Error{ErrorCode::kInvalid,
                 "files hold no live flows: --flows and a port of FROM are "
                 "questions to rampartd",
                 {}};
  }
  return Query{{"from", from},
               {"to", to},
               {"protocol", what->protocol},
               {"port", what->port},
               {"flows", flows ? "true" : ""},
               {"from_port", from_port}};
}

/// The same question to the objects in files.
int explain_files(Session& session, const Query& query) {
  const auto state = cluster_from_files(session, session.invocation().values("filename"));
  if (!state) return kFailed;
  explain::Query given;
  for (const auto& [name, value] : query) {
    if (!value.empty()) given.emplace(name, value);
  }
  const auto question = explain::read_question(given, *state);
  if (!question) return session.fail(question.error());
  const auto made = explain::answer(*question, kube::Evaluator(*state));
  const std::string text = made.json.dump(-1, ' ', false, explain::Json::error_handler_t::replace);
  const auto answer = Answer::parse(text);
  if (!answer) return session.fail(answer.error());
  if (session.wants_json()) {
    session.print_json(text);
  } else {
    show(session, answer->root());
  }
  return status_of(session, answer->root());
}

}  // namespace

int run_explain(Session& session) {
  const auto query = read_question(session.invocation());
  if (!query) return session.fail_usage(query.error().what);
  if (session.invocation().has("filename")) return explain_files(session, *query);
  const auto fetched = session.get(target_with_query("/v1/explain", *query));
  if (!fetched) return kFailed;
  if (!fetched->shown) show(session, fetched->answer.root());
  return status_of(session, fetched->answer.root());
}

}  // namespace rampart::ctl
