// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "tools/rampartctl/session.hpp"

// rampartctl: the command line of the control socket. See README.md beside this file.
int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  const bool colours_wanted = variable("NO_COLOR").empty() && variable("TERM") != "dumb";
  const bool out_terminal = isatty(STDOUT_FILENO) == 1;
  rampart::ctl::Console console{.in = std::cin,
                                .out = std::cout,
                                .err = std::cerr,
                                .out_colour = colours_wanted && out_terminal,
                                .err_colour = colours_wanted && isatty(STDERR_FILENO) == 1,
                                .out_terminal = out_terminal,
                                .socket = variable("RAMPART_SOCKET")};
  try {
    return rampart::ctl::run(std::vector<std::string>(argv + 1, argv + argc), console);
  } catch (const std::exception& e) {  // out of memory, mostly: input of any size is read whole
    std::cerr << "error: " << e.what() << '\n';
    return rampart::ctl::kFailed;
  }
}
