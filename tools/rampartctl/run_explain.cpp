// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>
#include <string>

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

/// "TCP/80", "80/tcp", "ICMP".
Result<ProtocolPort> parse_protocol_port(std::string_view text) {
  const size_t slash = text.find('/');
  ProtocolPort parsed{upper(text.substr(0, slash)), {}};
  if (slash != std::string_view::npos) parsed.port = text.substr(slash + 1);
  if (has_ports(upper(parsed.port))) {
    std::swap(parsed.protocol, parsed.port);
    parsed.protocol = upper(parsed.protocol);
  }
  const auto refuse = [&](const std::string& why) {
    return Error{ErrorCode::kInvalid, why + " (PROTO/PORT is like TCP/80, UDP/53 or ICMP)", {}};
  };
  if (has_ports(parsed.protocol)) {
    if (parsed.port.empty()) return refuse(parsed.protocol + " wants a port");
    if (auto number = parse_number(parsed.port, 1, 65535, "the port"); !number) {
      return refuse(number.error().what);
    }
  } else if (!parsed.port.empty() || parsed.protocol.empty() ||
             std::isalpha(static_cast<unsigned char>(parsed.protocol[0])) == 0) {
    return refuse("'" + std::string(text) + "' is no protocol and port");
  }
  return parsed;
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

void print_direction(Session& session, std::string_view name, std::string_view whose,
                     const Json& direction) {
  const bool allowed = direction["allowed"].truth();
  const bool isolated = direction["isolated"].truth();
  session.out() << '\n'
                << name << " of " << printable(whose) << ": "
                << (allowed ? session.style("allowed", Style::kGood)
                            : session.style("denied", Style::kBad))
                << '\n';
  session.out() << "  isolated by  "
                << (isolated ? printable(direction["policies"].joined(", ", "a policy"))
                             : "no policy")
                << '\n';
  if (direction["rule"].exists()) {
    session.out() << "  admitted by  " << printable(rule_text(direction["rule"])) << '\n';
  } else if (isolated) {
    session.out() << "  admitted by  " << (allowed ? "no rule is needed" : "no rule") << '\n';
  }
  // Where policies decided, the lines above say it all.
  const bool said = isolated && (!allowed || direction["rule"].exists());
  if (const std::string why = direction["why"].text(""); !said && !why.empty()) {
    session.out() << "  " << printable(why) << '\n';
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
                << printable(to) << " on " << printable(what) << " (revision "
                << answer["revision"].text() << ")\n";
  if (const std::string why = answer["why"].text(""); !why.empty()) {
    session.out() << "  " << printable(why) << '\n';
  }
  print_direction(session, "egress", from, answer["egress"]);
  print_direction(session, "ingress", to, answer["ingress"]);
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

}  // namespace

int run_explain(Session& session) {
  const Invocation& invocation = session.invocation();
  const auto& operands = invocation.operands;
  const auto what = parse_protocol_port(operands[2]);
  if (!what) return session.fail_usage(what.error().what);
  const auto fetched = session.get(target_with_query("/v1/explain", {{"from", operands[0]},
                                                                     {"to", operands[1]},
                                                                     {"protocol", what->protocol},
                                                                     {"port", what->port}}));
  if (!fetched) return kFailed;
  if (!fetched->shown) show(session, fetched->answer.root());
  return status_of(session, fetched->answer.root());
}

}  // namespace rampart::ctl
