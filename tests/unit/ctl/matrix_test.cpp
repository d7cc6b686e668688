// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/unit/ctl/run_program.hpp"
#include "tools/rampartctl/session.hpp"

// matrix and diff: who can reach whom, and what opens and closes.
namespace rampart::ctl {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kShop = R"(apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop, labels: {app: web}}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: shop, labels: {app: db}}
status: {podIP: 10.0.0.2}
---
apiVersion: v1
kind: Pod
metadata: {name: probe, namespace: tools}
status: {podIP: 10.0.1.1}
)";

std::string policy(const std::string& app, const std::string& rules) {
  return "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
         "metadata: {name: " +
         app +
         ", namespace: shop}\n"
         "spec:\n  podSelector: {matchLabels: {app: " +
         app + "}}\n  ingress: [" + rules + "]\n";
}

const std::string kDbFromWeb =
    policy("db", "{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}");

TEST(Matrix, NamespacesAreDrawnTogether) {
  const Outcome outcome = run_program({"matrix", "-f", "-"}, kShop + kDbFromWeb);
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_EQ(outcome.out,
            "FROM \\ TO      shop  tools  all addresses\n"
            "shop           ~all  all    all\n"
            "tools          ~all  all    all\n"
            "all addresses  ~all  all\n");
}

TEST(Matrix, KindsOfOneNamespaceOrOfAll) {
  const Outcome one =
      run_program({"matrix", "-f", "-", "--expand", "shop", "-n", "shop"}, kShop + kDbFromWeb);
  EXPECT_EQ(one.out,
            "FROM \\ TO      shop/app=db  shop/app=web  tools  all addresses\n"
            "shop/app=db    -            all           all    all\n"
            "shop/app=web   TCP 5432     all           all    all\n"
            "tools          -            all\n"
            "all addresses  -            all\n");
  const Outcome all = run_program({"matrix", "-f", "-", "--kinds"}, kShop + kDbFromWeb);
  EXPECT_THAT(all.out, HasSubstr("\ntools/probe    -            all           all"));
  const Outcome none = run_program({"matrix", "-f", "-", "-n", "nosuch"}, kShop);
  EXPECT_EQ(none.status, kFailed);
  EXPECT_THAT(none.err, HasSubstr("there is no namespace nosuch"));
}

TEST(Matrix, ManyColumnsBecomeLines) {
  std::string many = kShop + kDbFromWeb;
  for (int i = 0; i < 10; ++i) {
    many += "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: ns" +
            std::to_string(i) + "}\nstatus: {podIP: 10.1.0." + std::to_string(i) + "}\n";
  }
  const Outcome outcome = run_program({"matrix", "-f", "-", "--expand", "shop"}, many);
  EXPECT_THAT(outcome.out, HasSubstr("FROM           MAY USE   AT\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\nshop/app=web   TCP 5432  shop/app=db\n"
                                     "               all       ns0, ns1, ns2, ns3, ns4, ns5, "
                                     "ns6, ns7 and 5 more\n"));
}

TEST(Matrix, JsonHasEveryKind) {
  const Outcome outcome = run_program({"matrix", "-f", "-", "-o", "json"}, kShop + kDbFromWeb);
  const json matrix = json::parse(outcome.out);
  ASSERT_EQ(matrix["ends"].size(), 4U);
  EXPECT_EQ(matrix["ends"][0]["name"], "shop/app=db");
  EXPECT_EQ(matrix["ends"][0]["pods"], json::parse(R"(["db-0"])"));
  EXPECT_EQ(matrix["ends"][0]["isolated_ingress"], true);
  EXPECT_EQ(matrix["ends"][1]["isolated_ingress"], false);
  EXPECT_TRUE(matrix["ends"][3]["namespace"].is_null());
  const auto ports = [&](size_t from, size_t to) {
    return matrix["ports"][matrix["cells"][from][to].get<size_t>()];
  };
  EXPECT_EQ(ports(1, 0)["TCP"], json::parse("[[5432,5432]]"));
  EXPECT_EQ(ports(1, 0)["other_protocols"], false);
  EXPECT_EQ(ports(2, 0)["text"], "nothing");
  EXPECT_EQ(matrix["groups"].size(), 3U);
}

TEST(Matrix, OfOneNamespaceIsThatPartOfTheWhole) {
  const std::string text = kShop + kDbFromWeb;
  const json whole = json::parse(run_program({"matrix", "-f", "-", "-o", "json"}, text).out);
  const json part =
      json::parse(run_program({"matrix", "-f", "-", "-o", "json", "-n", "tools"}, text).out);
  EXPECT_EQ(whole["wanted"], json::parse("[0,1,2,3]"));
  ASSERT_EQ(part["wanted"], json::parse("[2]"));
  ASSERT_EQ(part["ends"], whole["ends"]);
  const auto ports = [](const json& matrix, size_t from, size_t place) {
    return matrix["ports"][matrix["cells"][from][place].get<size_t>()];
  };
  for (size_t end = 0; end < 4; ++end) {
    EXPECT_EQ(ports(part, 2, end), ports(whole, 2, end)) << "to " << end;
    if (end == 2) continue;
    EXPECT_EQ(part["cells"][end].size(), 1U) << "to the end that is wanted";
    EXPECT_EQ(ports(part, end, 0), ports(whole, end, 2)) << "from " << end;
  }
  EXPECT_EQ(ports(part, 2, 0)["text"], "nothing");
}

TEST(Matrix, OfALargeClusterANamespaceCanBeAskedFor) {
  std::string many = kShop + kDbFromWeb;
  for (size_t i = 0; i < 6000; ++i) {
    many += "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: ns" +
            std::to_string(i) + "}\nstatus: {podIP: 10.1." + std::to_string(i / 250) + "." +
            std::to_string(i % 250) + "}\n";
  }
  const Outcome all = run_program({"matrix", "-f", "-"}, many);
  EXPECT_EQ(all.status, kFailed);
  EXPECT_THAT(all.err, AllOf(HasSubstr("6004 kinds of pods and address blocks"),
                             HasSubstr("-n NAMESPACE computes what goes from or to")));
  const Outcome one = run_program({"matrix", "-f", "-", "-n", "shop", "--expand", "shop"}, many);
  EXPECT_EQ(one.status, kDone) << one.err;
  EXPECT_THAT(one.out, HasSubstr("\nshop/app=web   TCP 5432  shop/app=db\n"));
  const Outcome page = run_program({"matrix", "-f", "-", "-n", "shop", "-o", "html"}, many);
  EXPECT_EQ(page.status, kFailed);
  EXPECT_THAT(page.err, HasSubstr("6003 namespaces, kinds and address blocks are too many"));
}

TEST(Matrix, ThePageStandsByItself) {
  const std::string evil =
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: evil, labels: {app: web}}\n"
      "status: {podIP: 10.0.0.9}\n";
  const Outcome outcome =
      run_program({"matrix", "-f", "-", "-o", "html"}, kShop + evil + kDbFromWeb);
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(testing::StartsWith("<!DOCTYPE html>"), HasSubstr("<svg id=\"namespaces\""),
                    HasSubstr("<svg id=\"kinds\""), HasSubstr(">shop/app=web</text>"),
                    testing::EndsWith("</html>\n")));
  EXPECT_THAT(outcome.out, AllOf(Not(HasSubstr(" src=")), Not(HasSubstr("href=")),
                                 Not(HasSubstr("url(")), Not(HasSubstr("@import"))))
      << "nothing is loaded from elsewhere";
  const std::string mark = "id=\"data\">";
  const size_t begin = outcome.out.find(mark) + mark.size();
  const json data =
      json::parse(outcome.out.substr(begin, outcome.out.find("</script>", begin) - begin));
  const json& kinds = data["views"][1];
  ASSERT_EQ(kinds["names"], json::parse(R"(["evil/app=web","shop/app=db","shop/app=web",)"
                                        R"("tools/probe","all addresses"])"));
  const auto said = [&](size_t from, size_t to) {
    const json passage = kinds["passages"][kinds["cells"][from][to].get<size_t>()];
    return passage[0] == -1 ? std::string()
                            : data["ports"][passage[0].get<size_t>()].get<std::string>();
  };
  EXPECT_EQ(said(2, 1), "TCP 5432");
  EXPECT_EQ(said(0, 1), "nothing") << "of another namespace";
  EXPECT_EQ(said(4, 4), "") << "addresses outside are no question for policies";
}

TEST(Matrix, OfManyKindsThePageDrawsThoseThatAreAskedFor) {
  std::string many = kShop + kDbFromWeb;
  for (size_t i = 0; i < 1600; ++i) {
    many +=
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: crowd, labels: {app: n" +
        std::to_string(i) + "}}\nstatus: {podIP: 10.1." + std::to_string(i / 250) + "." +
        std::to_string(i % 250) + "}\n";
    many.replace(many.rfind("name: p,"), 8, "name: p" + std::to_string(i) + ",");
  }
  const Outcome all = run_program({"matrix", "-f", "-", "-o", "html"}, many);
  EXPECT_EQ(all.status, kDone) << all.err;
  EXPECT_THAT(all.err, HasSubstr("1604 kinds are too many to be drawn each"));
  EXPECT_LT(all.out.size(), 100'000U);
  EXPECT_THAT(all.out, AllOf(HasSubstr(">crowd</text>"), Not(HasSubstr(">shop/app=web</text>"))));
  EXPECT_THAT(run_program({"matrix", "-f", "-", "-o", "html", "--expand", "shop"}, many).out,
              HasSubstr(">shop/app=web</text>"));
}

TEST(Matrix, OfWhatIsInForce) {
  const Stand stand(
      R"({"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod",)"
      R"("metadata":{"name":"a","namespace":"web"},"status":{"podIP":"10.0.0.1"}}]})");
  EXPECT_THAT(stand.run({"matrix"}).out, HasSubstr("web            all  all"));
  EXPECT_THAT(stand.calls(), ElementsAre("GET /v1/snapshot"));
  const Stand nothing(R"({"status":404,"code":"not-found","detail":"none"})", 404);
  const Outcome none = nothing.run({"matrix"});
  EXPECT_EQ(none.status, kFailed);
  EXPECT_THAT(none.err, HasSubstr("no snapshot has been accepted yet"));
}

/// Runs diff with the first text in a file and the second on the standard input.
class Diff : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "rampartctl-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  Outcome diff(const std::string& before, const std::string& after,
               std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"diff", file("before.yaml", before), "-"};
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words, after);
  }

  std::string folder_;
};

TEST_F(Diff, ExitsAsDiffDoes) {
  EXPECT_EQ(diff(kShop + kDbFromWeb, kShop + kDbFromWeb).status, 0);
  const Outcome other_words =
      diff(kShop + kDbFromWeb,
           kShop + policy("db",
                          "{ports: [{port: 5432, endPort: 5432}], from: [{podSelector: "
                          "{matchExpressions: [{key: app, operator: In, values: [web]}]}}]}"));
  EXPECT_EQ(other_words.status, 0) << other_words.out;
  EXPECT_EQ(other_words.out, "nothing opens or closes\n");
  EXPECT_EQ(diff(kShop, kShop + kDbFromWeb).status, 1);
  EXPECT_EQ(diff(kShop, "a: [").status, 2);
  EXPECT_EQ(run_program({"diff", "/nope", "/nope"}).status, 2);
  EXPECT_EQ(run_program({"diff", "-", "-"}).status, 2);
  EXPECT_EQ(run_program({"diff", "one"}).status, 2);
  EXPECT_EQ(run_program({"diff", "--socket", "/nope", "@running", "-"}, kShop).status, 2);
}

TEST_F(Diff, LinesSayWhatOpensAndCloses) {
  const Outcome outcome =
      diff(kShop + kDbFromWeb,
           kShop + policy("db", "{from: [{namespaceSelector: {}}], ports: [{port: 5433}]}"));
  EXPECT_EQ(outcome.out,
            "+ shop/app=db, shop/app=web, tools/probe \xE2\x86\x92 shop/app=db: TCP 5433\n"
            "- shop/app=web \xE2\x86\x92 shop/app=db: TCP 5432\n"
            "3 pairs differ: 3 open, 1 closes\n");
}

TEST_F(Diff, ObjectsThatBothSidesShare) {
  const std::string pods = file("pods.yaml", kShop);
  const Outcome outcome = diff("---\n" + kDbFromWeb, policy("web", ""), {"-f", pods});
  EXPECT_EQ(outcome.status, 1) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("- shop/app=db, shop/app=web, tools/probe, all addresses "
                                     "\xE2\x86\x92 shop/app=web: all\n"));
  const Outcome same = diff(kDbFromWeb, kDbFromWeb, {"-f", pods});
  EXPECT_EQ(same.status, 0) << same.err;
  EXPECT_THAT(same.err, Not(HasSubstr("no pod")));
  EXPECT_THAT(diff(kDbFromWeb, kDbFromWeb).err, HasSubstr("there is no pod"));
}

TEST_F(Diff, JsonNamesPartiesAndPairs) {
  const Outcome outcome = diff(kShop, kShop + kDbFromWeb, {"-o", "json"});
  EXPECT_EQ(outcome.status, 1);
  const json said = json::parse(outcome.out);
  EXPECT_EQ(said["same"], false);
  ASSERT_EQ(said["pairs"].size(), 4U);
  const json& pair = said["pairs"][1];
  EXPECT_EQ(said["parties"][pair["from"].get<size_t>()]["name"], "shop/app=web");
  EXPECT_EQ(pair["opened"]["text"], "nothing");
  EXPECT_EQ(pair["closed"]["TCP"], json::parse("[[0,5431],[5433,65535]]"));
  EXPECT_EQ(said["parties"][0]["pods"], json::parse(R"(["shop/db-0"])"));
}

TEST_F(Diff, AgainstWhatIsInForce) {
  const Stand stand(
      R"({"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod",)"
      R"("metadata":{"name":"a","namespace":"web"},"status":{"podIP":"10.0.0.1"}}]})");
  const std::string same =
      "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: web}\n"
      "status: {podIP: 10.0.0.1}\n";
  EXPECT_EQ(stand.run({"diff", "@running", "-"}, same).status, 0);
  EXPECT_EQ(stand.run({"diff", "-", "@running"}, kShop).status, 1);
  EXPECT_EQ(stand.run({"diff", "@running", "-", "-f", file("x.yaml", kShop)}, same).status, 2);
}

TEST_F(Diff, APodWithoutAnAddressIsTheSameInForceAndInAFile) {
  const Stand stand(R"({"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod",)"
                    R"("metadata":{"name":"a","namespace":"web"}}]})");
  EXPECT_EQ(stand
                .run({"diff", "@running", "-"},
                     "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: web}\n")
                .out,
            "nothing opens or closes\n");
}

TEST_F(Diff, PoliciesThatAreNotEnforcedAreNamed) {
  const std::string admin =
      kShop +
      "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\n"
      "metadata: {name: guard}\nspec: {}\n";
  const std::string said =
      "warning: AdminNetworkPolicy guard of policy.networking.k8s.io/v1alpha1 is not enforced, and "
      "counts for nothing here\n";
  EXPECT_THAT(run_program({"matrix", "-f", "-"}, admin).err, HasSubstr(said));
  EXPECT_THAT(run_program({"explain", "-f", "-", "shop/web-0", "shop/db-0", "TCP/80"}, admin).err,
              HasSubstr(said));
  EXPECT_THAT(run_program({"diff", "-", file("y.yaml", kShop)}, admin).err, HasSubstr(said));
}

}  // namespace
}  // namespace rampart::ctl
