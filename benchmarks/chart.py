"""Figures as bars in an SVG: a group for each figure, a bar for each contender."""

from __future__ import annotations

import statistics
from html import escape

WIDTH, LEFT, RIGHT, BAR, GAP = 900, 210, 800, 18, 30

#: Ours, the official one, and the libraries below them.
COLOURS = {"ours": "#5b74b8", "official": "#c0564a"}
OTHER = "#98a0b4"


def bars(figures: dict[str, dict[str, list[float]]], unit: str) -> str:
    """Horizontal bars; each group has a scale of its own, and each bar its median beside it."""
    parts: list[str] = []
    y = 24
    for figure, contenders in figures.items():
        parts.append(f'<text x="16" y="{y}" font-weight="bold" fill="#223">{escape(figure)} [{escape(unit)}]</text>')
        y += 10
        medians = {name: statistics.median(rounds) for name, rounds in contenders.items()}
        longest = max(medians.values()) or 1.0
        for name, median in medians.items():
            length = median / longest * (RIGHT - LEFT)
            fill = COLOURS.get(name.partition(",")[0], OTHER)
            parts += [
                f'<text x="{LEFT - 8}" y="{y + 13}" fill="#223" text-anchor="end">{escape(name)}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 4}" rx="2" fill="{fill}"/>',
                f'<text x="{LEFT + length + 6:.1f}" y="{y + 12}" fill="#556" font-size="11">{median:.4g}</text>',
            ]
            y += BAR
        y += GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="12">'
        f'<rect width="{WIDTH}" height="{y}" fill="#fff" rx="8"/>'
    )
    return "\n".join([head, *parts, "</svg>", ""])
