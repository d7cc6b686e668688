# SPDX-License-Identifier: Apache-2.0
"""A chart of curves over a logarithmic axis, as an SVG file (W3C SVG 1.1)."""

import html
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 70, 190, 40, 50
COLOURS = ("#1f5fa8", "#c0392b", "#2e8b57", "#8e44ad", "#b8860b", "#444444", "#008b8b", "#d2691e", "#e377c2",
           "#7f7f7f", "#17becf", "#9acd32")


def _ticks(top):
    """Round numbers from 0 to at least `top`, five or so."""
    step = 10 ** math.floor(math.log10(top / 4)) if top > 0 else 1
    step *= next(m for m in (1, 2, 5, 10) if step * m * 5 >= top)
    return [step * n for n in range(math.ceil(top / step) + 1)]


def draw(path, title, x_name, y_name, curves):
    """`curves`: {name: [(x, y)…]}, every x above 0."""
    curves = {name: sorted(points) for name, points in curves.items() if points}
    if len(curves) > len(COLOURS):
        raise ValueError(f"{len(curves)} curves, and {len(COLOURS)} colours that can be told apart")
    xs = sorted({x for points in curves.values() for x, _ in points})
    low, high = math.log10(xs[0]), math.log10(xs[-1])
    ticks = _ticks(max(y for points in curves.values() for _, y in points))

    def at(x, y):
        across = (math.log10(x) - low) / (high - low) if high > low else 0.5
        return (LEFT + across * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - y / ticks[-1] * (HEIGHT - TOP - BOTTOM))

    def text(x, y, what, anchor="middle", more=""):
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{html.escape(what)}</text>'

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(WIDTH / 2, 22, title, more='font-size="15"'),
           text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_name),
           text(16, HEIGHT / 2, y_name, more=f'transform="rotate(-90 16 {HEIGHT / 2})"')]
    for y in ticks:
        x1, height = at(xs[0], y)
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}" stroke="#dddddd"/>')
        out.append(text(LEFT - 8, height + 4, f"{y:g}", "end"))
    out += [text(at(x, 0)[0], HEIGHT - BOTTOM + 18, f"{x:,g}") for x in xs]
    for number, (name, points) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [at(x, y) for x, y in points]
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                   + " ".join(f"{x:.1f},{y:.1f}" for x, y in places) + '"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        y = TOP + 10 + number * 18
        out.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        out.append(text(WIDTH - RIGHT + 30, y, name, "start"))
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n</svg>\n")
