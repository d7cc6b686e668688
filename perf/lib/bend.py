# SPDX-License-Identifier: Apache-2.0
"""Where a curve bends: from which size on each further thing costs more than the first ones did."""

FACTOR = 2
FLAT = 1.5  # a curve that grows no more than so many times from its least to its most is flat


def slope(a, b):
    return (b[1] - a[1]) / (b[0] - a[0])


def bend(points):
    """Of [(x, y)…] with rising x, at least four: the first piece beyond the third point that is FACTOR times as steep as
    the curve is up to there, as (x where the piece begins, how many times). None: there is none, or the curve is flat.
    The measure is at least half of y / x, or noise on a flat beginning would make a bend."""
    if points[-1][1] <= FLAT * points[0][1]:
        return None
    usual = max(slope(points[0], points[2]), points[2][1] / points[2][0] / 2)
    for a, b in zip(points[2:], points[3:]):
        if slope(a, b) >= FACTOR * usual:
            return a[0], slope(a, b) / usual
    return None


def text(points, what):
    """A sentence, for a table."""
    found = bend(points)
    if found:
        return f"bends at {found[0]:,} {what}: {found[1]:.1f} times as much for each that is added"
    grown = points[-1][1] / points[0][1]
    kind = "flat" if grown <= FLAT else "no bend"
    return f"{kind}: {grown:.1f} times from {points[0][0]:,} to {points[-1][0]:,} {what}"
