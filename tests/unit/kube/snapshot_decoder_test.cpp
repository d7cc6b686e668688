// SPDX-License-Identifier: Apache-2.0
//
// A snapshot that comes in pieces says what it says as a whole, wherever it is cut.
#include "control/kube/snapshot_decoder.hpp"

#include <gtest/gtest.h>

#include <string>

#include "control/kube/encode.hpp"
#include "control/kube/events.hpp"
#include "control/kube/value_scanner.hpp"

namespace rampart::kube {
namespace {

/// What comes of a text in pieces of some size: the state written out, or the refusal.
std::string in_pieces(std::string_view text, size_t size) {
  SnapshotDecoder decoder;
  for (size_t at = 0; at < text.size(); at += size) {
    const std::string piece(text.substr(at, size));  // so that sanitizers know where it ends
    decoder.put(piece);
  }
  const auto decoded = std::move(decoder).finish();
  return decoded ? encode_snapshot(decoded->state) : decoded.error().text();
}

const std::string kPods =
    R"({"metadata":{"name":"a","namespace":"web","labels":{"x":"1"},"annotations":{"t":"]}\\\"[{\\"}},
     "apiVersion":"v1","kind":"Pod","status":{"podIP":"10.0.0.1"}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"b","namespace":"web"}, "spec":{"x":[[[{}]]]}})";

TEST(SnapshotDecoder, WhereverTheTextIsCut) {
  const std::string before = R"({"apiVersion":"v1", "items": [)", behind = R"(], "kind":"List"})";
  const std::string text = before + kPods + behind;
  const std::string whole = in_pieces(text, text.size());
  EXPECT_NE(whole.find(R"("name":"a")"), std::string::npos) << whole;
  EXPECT_NE(whole.find(R"("name":"b")"), std::string::npos) << whole;
  for (size_t size = 1; size < 200; ++size) EXPECT_EQ(in_pieces(text, size), whole) << size;
}

TEST(SnapshotDecoder, ItemsMayLearnTheirKindFromBehind) {
  const std::string items =
      R"("items":[{"metadata":{"name":"a","namespace":"web"}},{"metadata":{"name":"b","namespace":"web"}}])";
  const std::string kind = R"("kind":"PodList","apiVersion":"v1")";
  const std::string first = in_pieces("{" + kind + "," + items + "}", 7);
  EXPECT_NE(first.find(R"("kind":"Pod")"), std::string::npos) << first;
  EXPECT_EQ(in_pieces("{" + items + "," + kind + "}", 7), first);
  EXPECT_EQ(in_pieces("{" + items + R"(,"kind":"List","apiVersion":"v1"})", 7),
            "web/a: apiVersion: is required");
}

TEST(SnapshotDecoder, RefusesWhatIsNoListOfObjects) {
  const std::string end = R"(],"apiVersion":"v1","kind":"List"})";
  const struct {
    std::string text, refusal;
  } cases[] = {
      {R"({"items":[)" + kPods + ",,{}" + end, "this is not JSON: "},
      {R"({"items":[)" + kPods + "]" + end, "this is not JSON: "},
      {R"({"items":[{} {})" + end, "this is not JSON: "},
      {R"({"items":[)" + kPods + ",7" + end, "items[2]: must be an object, not an integer"},
      {R"({"items":[)" + kPods + R"(,{"a":})" + end, "items[2]: this is not JSON: "},
      {R"({"items":[)" + kPods + R"(,{"a":")", "items[2]: this is not JSON: the text ends"},
      {R"({"items":[)" + kPods + R"(],"items":[)" + end, "List: items: stands there twice"},
      {R"({"apiVersion":"v1","kind":"Pod","items":[)" + kPods + "]}",
       "Pod: kind: has items and is no list"},
      {R"({"items":[)" + kPods + end + "x", "this is not JSON: "},
  };
  for (const auto& one : cases) {
    for (const size_t size : {size_t{1}, size_t{64}, one.text.size()}) {
      EXPECT_EQ(in_pieces(one.text, size).substr(0, one.refusal.size()), one.refusal) << one.text;
    }
  }
}

TEST(ValueScanner, KnowsBackslashesAcrossItsBlocks) {
  for (size_t shift = 0; shift < 70; ++shift) {
    for (size_t slashes = 0; slashes < 5; ++slashes) {
      const std::string text = "{\"" + std::string(shift, 'a') + std::string(slashes, '\\') +
                               "\"}" + (slashes % 2 == 1 ? "\"}" : "");
      for (size_t cut = 0; cut <= text.size(); ++cut) {
        ValueScanner scanner;
        scanner.begin();
        const std::string all = text + "}}";
        size_t end = scanner.find_end(all.substr(0, cut));
        if (end == ValueScanner::kNotYet) end = cut + scanner.find_end(all.substr(cut));
        EXPECT_EQ(end, text.size()) << text << " cut at " << cut;
      }
    }
  }
}

TEST(EventsDecoder, WhereverTheTextIsCut) {
  const std::string event = R"({"type":"ADDED","object":{"apiVersion":"v1","kind":"Pod",)";
  const std::string text = event + R"("metadata":{"name":"a","namespace":"web"}}})" + "\n\n" +
                           event + R"("metadata":{"name":"B","namespace":"web"}}})";
  for (size_t size = 1; size <= text.size(); ++size) {
    EventsDecoder decoder;
    for (size_t at = 0; at < text.size(); at += size) {
      const std::string piece = text.substr(at, size);
      decoder.put(piece);
    }
    const auto changes = std::move(decoder).finish();
    ASSERT_FALSE(changes);
    EXPECT_EQ(changes.error().object, "web/B (line 3)") << size;
  }
}

}  // namespace
}  // namespace rampart::kube
