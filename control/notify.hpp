// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace rampart {

/// Tells the service manager how things stand ("READY=1"), by a datagram to $NOTIFY_SOCKET
/// (sd_notify(3)). Without one, nothing happens. False if somebody listens and could not be told.
bool notify_service_manager(const std::string& state);

}  // namespace rampart
