# SPDX-License-Identifier: Apache-2.0
"""Whether one of two is slower, from pairs that were measured right after each other."""

import random
from typing import NamedTuple

from bars import middle


class Judgement(NamedTuple):
    ratio: float  # the median of the pairs' ratios, new / old
    low: float    # its confidence interval
    high: float
    word: str     # "slower", "faster" or "no difference"


def judge(starts, least, confidence=0.99, draws=4000, seed=1):
    """`starts`: for each start of the two programs the ratios (new / old) of its pairs. The interval is a bootstrap
    over starts and, within them, pairs (B. Efron, "Bootstrap Methods", 1979), for where memory comes to lie is drawn
    once a start. `least`: what is too little to be called a difference (0.01: a hundredth)."""
    dice = random.Random(seed)
    medians = sorted(
        middle([ratio for pairs in dice.choices(starts, k=len(starts)) for ratio in dice.choices(pairs, k=len(pairs))])
        for _ in range(draws))
    tail = (1 - confidence) / 2
    low, high = medians[int(tail * draws)], medians[int((1 - tail) * draws) - 1]
    ratio = middle([ratio for pairs in starts for ratio in pairs])
    word = "no difference"
    if low > 1 and ratio >= 1 + least:
        word = "slower"
    elif high < 1 and ratio <= 1 - least:
        word = "faster"
    return Judgement(ratio, low, high, word)
