# SPDX-License-Identifier: Apache-2.0
"""All stories, in the order in which they are told."""

import fragment_stories
import icmp_stories
import ip_stories
import sctp_stories
import tcp_stories
import tcp_window_stories

STORIES = [*tcp_stories.STORIES, *ip_stories.STORIES, *icmp_stories.STORIES, *sctp_stories.STORIES,
           *tcp_window_stories.STORIES, *fragment_stories.STORIES]
