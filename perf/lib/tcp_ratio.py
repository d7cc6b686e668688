# SPDX-License-Identifier: Apache-2.0
"""What Rampart costs by what the floor costs, where the driver is dearer than both."""

from bars import middle, spread


def middle_half(values):
    """How far the middle half of some values is apart."""
    ordered = sorted(values)
    return ordered[-1 - len(ordered) // 4] - ordered[len(ordered) // 4]


class Ratio:
    """Lists of cycles a packet, a value a round: of Rampart and of the driver with bursts such as its, of the floor and of the
    driver with bursts such as the floor's."""

    def __init__(self, rampart, rampart_driver, floor, floor_driver):
        self.own = [a - b for a, b in zip(rampart, rampart_driver)]
        self.floor = [a - b for a, b in zip(floor, floor_driver)]
        self.driver = rampart_driver
        # A floor that is less than the noise of what is subtracted is no number to divide by.
        self.noise = middle_half(self.floor) / 2
        self.known = middle(self.floor) > max(self.noise, 1) and middle(self.own) > 0
        self.ratio = middle(self.own) / middle(self.floor) if self.known else None

    def text(self):
        """The ratio; or where it cannot be told what it is at least, by a floor as dear as it can be."""
        if self.known:
            return f"{self.ratio:.2f}"
        if middle(self.own) <= 0:
            return f"not told (Rampart's own, {spread(self.own, 0)}, are lost in the driver's noise)"
        most = max(middle(self.floor), 0) + max(self.noise, 1)
        return f"more than {middle(self.own) / most:.2f} (the floor, {spread(self.floor, 0)}, is lost in the driver's noise)"
