# SPDX-License-Identifier: Apache-2.0
"""Values of options, as argparse's `type`: one that makes no sense ends a command before it has begun, with the option's name."""

import argparse
import os

MOST_FLOWS = 4_000_000  # a file holds a frame a flow, and each program a packet buffer a frame


def whole(least=1, most=None):
    """A whole number from `least` to `most`."""
    def of(text):
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is no whole number") from None
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{number} is not " + (f"{least} or more" if most is None else f"between {least} and {most}"))
        return number
    return of


FLOWS = whole(1, MOST_FLOWS)


def above_zero(text):
    """A number of seconds, or of something a second."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no number") from None
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def some(one):
    """A list of what `one` reads, with commas between them."""
    return lambda text: [one(part) for part in text.split(",")]


def pair(one):
    """Two of what `one` reads, the smaller one first."""
    def of(text):
        found = some(one)(text)
        if len(found) != 2 or found[0] >= found[1]:
            raise argparse.ArgumentTypeError(f"'{text}' is not a smaller number, a comma and a larger one")
        return found
    return of


def cpu(text):
    """One that we may use."""
    ours = sorted(os.sched_getaffinity(0))
    number = whole(0)(text)
    if number not in ours:
        raise argparse.ArgumentTypeError(f"CPU {number} is none of ours ({', '.join(map(str, ours))})")
    return number


def file_to_write(text):
    """Its name; it can be written, or made."""
    folder = os.path.dirname(text) or "."
    if os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text} is a folder")
    if not os.path.isdir(folder):
        raise argparse.ArgumentTypeError(f"there is no folder {folder}")
    if not os.access(text if os.path.exists(text) else folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written")
    return text


def folder_to_write(text):
    """The same for a folder, which is made when it is needed."""
    if os.path.exists(text) and not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return text
