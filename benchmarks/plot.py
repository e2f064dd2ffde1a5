"""A plot with two logarithmic axes, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 640, 360, 60
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")

Points = Sequence[tuple[float, float]]


def log_log(title: str, x_label: str, y_label: str, lines: Mapping[str, Points]) -> str:
    """Lines through points with positive coordinates; every decade has its grid line."""
    points = [point for line in lines.values() for point in line]
    x_range, y_range = (_decades([point[axis] for point in points]) for axis in (0, 1))

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            MARGIN + (math.log10(x) - x_range[0]) / (x_range[-1] - x_range[0]) * (WIDTH - 2 * MARGIN),
            HEIGHT - MARGIN - (math.log10(y) - y_range[0]) / (y_range[-1] - y_range[0]) * (HEIGHT - 2 * MARGIN),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
        _text(WIDTH / 2, 20, title, size=14),
        _text(WIDTH / 2, HEIGHT - 12, x_label),
        f'<g transform="rotate(-90 14 {HEIGHT / 2})">{_text(14, HEIGHT / 2, y_label)}</g>',
    ]
    for power in x_range:
        x, bottom = place(10.0**power, 10.0 ** y_range[0])
        parts += [_grid(x, MARGIN, x, bottom), _text(x, bottom + 16, f"{10.0**power:,g}")]
    for power in y_range:
        left, y = place(10.0 ** x_range[0], 10.0**power)
        parts += [_grid(left, y, WIDTH - MARGIN, y), _text(left - 22, y + 4, f"{10.0**power:,g}")]
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [place(x, y) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        parts.append(_text(MARGIN + 10, MARGIN + 16 * number, name, anchor="start", colour=colour))
    return "\n".join([*parts, "</svg>\n"])


def _decades(values: Sequence[float]) -> range:
    """The powers of ten from below the smallest to above the largest value."""
    lowest, highest = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return range(lowest, max(highest, lowest + 1) + 1)


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "middle", colour: str = "black") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
    )


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'
