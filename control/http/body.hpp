// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "control/http/message.hpp"

namespace rampart::http {

/// A body that Boost.Beast hands to a BodyReader piece by piece, or keeps where there is none.
/// Having no memory for it is the error not_enough_memory.
struct StreamedBody {
  struct value_type {
    std::shared_ptr<BodyReader> taker;
    std::string kept;
  };

  class reader {
   public:
    template <bool kRequest, typename Fields>
    reader(boost::beast::http::header<kRequest, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<uint64_t>& length, boost::system::error_code& error) {
      guard(error, [&] {
        if (length && body_.taker == nullptr) body_.kept.reserve(*length);
      });
    }
    template <typename Buffers>
    size_t put(const Buffers& buffers, boost::system::error_code& error) {
      size_t taken = 0;
      guard(error, [&] {
        for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
          const std::string_view piece(static_cast<const char*>(buffer.data()), buffer.size());
          if (body_.taker != nullptr) {
            body_.taker->put(piece);
          } else {
            body_.kept.append(piece);
          }
          taken += piece.size();
        }
      });
      return taken;
    }
    void finish(boost::system::error_code& error) { error = {}; }

   private:
    template <typename Action>
    static void guard(boost::system::error_code& error, Action action) {
      error = {};
      try {
        action();
      } catch (const std::exception&) {  // bad_alloc, or longer than a string can be
        error = make_error_code(boost::system::errc::not_enough_memory);
      }
    }
    value_type& body_;
  };
};

}  // namespace rampart::http
