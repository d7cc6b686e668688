// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/documents.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "tools/rampartctl/json_text.hpp"
#include "tools/rampartctl/yaml_json.hpp"

namespace rampart::ctl {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStandardInput = "standard input";

Error io_error(const std::string& path, const std::error_code& code) {
  return Error{ErrorCode::kIo, code.message(), path};
}

bool is_manifest(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

template <typename Iterator>
Result<std::vector<std::string>> manifests_in(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> found;
  for (Iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;  // a dangling link is no regular file
    if constexpr (std::is_same_v<Iterator, fs::recursive_directory_iterator>) {
      // Kubernetes mounts a ConfigMap as links into a hidden directory: each file is there twice.
      if (it->path().filename().string().starts_with('.') && it->is_directory(ignored)) {
        it.disable_recursion_pending();
        continue;
      }
    }
    if (is_manifest(it->path()) && it->is_regular_file(ignored))
      found.push_back(it->path().string());
  }
  if (error) return io_error(directory, error);
  std::sort(found.begin(), found.end());
  return found;
}

Error not_an_object(std::string_view json, const std::string& place) {
  const char first = json.empty() ? ' ' : json[0];
  const std::string_view what = first == '['   ? "a list"
                                : first == '"' ? "a string"
                                               : "a plain value";
  return Error{ErrorCode::kInvalid,
               "this document is " + std::string(what) +
                   "; a Kubernetes object is a mapping with apiVersion and kind",
               place};
}

Result<std::vector<Document>> parse_json_documents(std::string_view text, const std::string& name) {
  auto values = split_json(text);
  if (!values) return std::move(values).error();
  std::vector<Document> documents;
  size_t line = 1, counted = 0;
  for (const std::string_view value : *values) {
    const auto at = static_cast<size_t>(value.data() - text.data());
    line += static_cast<size_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(counted),
                                           text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    counted = at;
    if (value[0] != '{') return not_an_object(value, place_in(text, at).text());
    documents.push_back({std::string(value), name, line});
  }
  return documents;
}

Result<std::vector<Document>> parse_yaml_documents(std::string_view text, const std::string& name) {
  auto values = yaml_to_json(text);
  if (!values) return std::move(values).error();
  std::vector<Document> documents;
  for (YamlDocument& value : *values) {
    if (value.json[0] != '{') return not_an_object(value.json, std::to_string(value.line) + ":1");
    documents.push_back({std::move(value.json), name, value.line});
  }
  return documents;
}

/// A file that starts with '{' is JSON, unless it says otherwise (YAML may be written so too).
bool may_be_yaml(std::string_view text, const std::string& name) {
  return name.ends_with(".yaml") || name.ends_with(".yml") ||
         text.find("\n---") != std::string_view::npos;
}

}  // namespace

Result<std::vector<std::string>> collect_files(const std::vector<std::string>& paths,
                                               bool recursive) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (path == "-") {
      if (std::find(files.begin(), files.end(), path) != files.end()) {
        return Error{ErrorCode::kInvalid, "the standard input can be read only once", "-f -"};
      }
      files.push_back(path);
      continue;
    }
    const fs::file_status status = fs::status(path, error);
    if (error) return io_error(path, error);
    if (!fs::is_directory(status)) {
      files.push_back(path);
      continue;
    }
    auto found = recursive ? manifests_in<fs::recursive_directory_iterator>(path)
                           : manifests_in<fs::directory_iterator>(path);
    if (!found) return std::move(found).error();
    if (found->empty()) {
      return Error{ErrorCode::kInvalid,
                   std::string("holds no *.yaml, *.yml or *.json") +
                       (recursive ? "" : " (--recursive looks in the directories below it too)"),
                   path};
    }
    files.insert(files.end(), std::make_move_iterator(found->begin()),
                 std::make_move_iterator(found->end()));
  }
  return files;
}

Result<std::vector<Document>> parse_documents(std::string_view text, const std::string& name) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (!simdjson::validate_utf8(text)) {
    return Error{ErrorCode::kInvalid, "is not UTF-8 text", name};
  }
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return std::vector<Document>{};
  const bool json_first = text[first] == '{' || name.ends_with(".json");
  auto documents = json_first ? parse_json_documents(text, name) : parse_yaml_documents(text, name);
  if (!documents && json_first && may_be_yaml(text, name)) {
    documents = parse_yaml_documents(text, name);
  }
  if (!documents) return std::move(documents).error().within(name, ":");
  return documents;
}

Result<std::vector<Document>> read_documents(const std::vector<std::string>& paths, bool recursive,
                                             std::istream& standard_input) {
  auto files = collect_files(paths, recursive);
  if (!files) return std::move(files).error();
  std::vector<Document> all;
  for (const std::string& file : *files) {
    const bool is_stdin = file == "-";
    std::ifstream opened;
    if (!is_stdin) {
      opened.open(file, std::ios::binary);
      if (!opened) return Error{ErrorCode::kIo, std::strerror(errno), file};
    }
    std::istream& stream = is_stdin ? standard_input : opened;
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (stream.bad()) return Error{ErrorCode::kIo, "cannot be read", file};
    auto documents = parse_documents(text, is_stdin ? std::string(kStandardInput) : file);
    if (!documents) return std::move(documents).error();
    all.insert(all.end(), std::make_move_iterator(documents->begin()),
               std::make_move_iterator(documents->end()));
  }
  return all;
}

}  // namespace rampart::ctl
