"""Draws the figures of ``docs/statistics.md`` from what ``proofs/analysis.py`` wrote.

``python proofs/analysis_figures.py proofs/results/analysis-*.json``
"""

import json
import math
import sys
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "statistics"
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 380, 64, 20, 52
RIGHT = WIDTH - 190
INK, FAINT, OURS, OTHERS, LIMIT = "#1d2530", "#d9dee5", "#0a6cbd", "#b35c00", "#b42318"
DASHES = ("", "7 3", "2 3", "10 3 2 3")


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    """Return a label."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "") -> str:
    """Return a straight line."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dashed}/>'
    )


def picture(title: str, parts: list[str]) -> str:
    """Return a whole SVG on white, for pages of either theme."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{INK}">'
        f'<title>{escape(title)}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        + "\n".join(parts)
        + "</svg>\n"
    )


def false_alarms(found: list[dict[str, Any]]) -> str:
    """Draw the share of equal revisions stopped, by the number of looks."""
    low, high, looks = -4.0, 0.0, found[0]["looks"]

    def y(share: float) -> float:
        level = (math.log10(max(share, 10**low)) - low) / (high - low)
        return HEIGHT - BOTTOM - level * (HEIGHT - BOTTOM - TOP)

    def x(look: float) -> float:
        return LEFT + look / looks * (RIGHT - LEFT)

    parts = []
    for power in range(-4, 1):
        label = f"{100 * 10.0**power:g} %"
        parts += [
            line(LEFT, y(10.0**power), RIGHT, y(10.0**power), FAINT),
            text(LEFT - 8, y(10.0**power) + 4, label, "end"),
        ]
    parts += [line(LEFT, y(0.01), RIGHT, y(0.01), LIMIT, "4 4"), text(RIGHT + 8, y(0.01) + 4, "α")]
    for look in range(0, looks + 1, 50):
        parts.append(text(x(look), HEIGHT - BOTTOM + 20, str(look), "middle"))
    parts.append(text((LEFT + RIGHT) / 2, HEIGHT - 10, "looks (windows of 10 s)", "middle"))
    for number, row in enumerate(found):
        for key, colour in (("by_look", OURS), ("by_look_peeking", OTHERS)):
            points = " ".join(
                f"{x(10 * (place + 1)):.1f},{y(share):.1f}" for place, share in enumerate(row[key])
            )
            dash = f' stroke-dasharray="{DASHES[number % 4]}"' if DASHES[number % 4] else ""
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{colour}" '
                f'stroke-width="1.8"{dash}/>'
            )
        top = TOP + 190 + 22 * number
        parts += [
            line(RIGHT + 8, top, RIGHT + 34, top, INK, DASHES[number % 4]),
            text(RIGHT + 40, top + 4, row["scenario"]),
        ]
    for top, colour, words in ((20, OTHERS, "z-test at every look"), (42, OURS, "Placet")):
        parts += [
            line(RIGHT + 8, TOP + top, RIGHT + 34, TOP + top, colour),
            text(RIGHT + 40, TOP + top + 4, words),
        ]
    return picture("Share of equal revisions that were stopped, by the number of looks", parts)


def power(found: list[dict[str, Any]]) -> str:
    """Draw the median number of requests until a stop, relative to the fixed size."""
    left, right, step = 190, WIDTH - 60, 42

    def x(ratio: float) -> float:
        return left + ratio / 2 * (right - left)

    bottom = TOP + step * len(found) + 8
    parts = []
    for tick in (0, 0.5, 1, 1.5, 2):
        colour, dash = (LIMIT, "4 4") if tick == 1.5 else (FAINT, "")
        parts += [
            line(x(tick), TOP, x(tick), bottom, colour, dash),
            text(x(tick), bottom + 18, f"{tick:g}", "middle"),
        ]
    for number, row in enumerate(found):
        top = TOP + 8 + step * number
        share = "50/50" if row["share"] == 0.5 else "5/95"
        ratio = row["ratio"] or 2.0
        rates = f"{row['stable']:.1%} → {row['candidate']:.1%}, {share}"
        parts += [
            text(left - 10, top + 17, rates, "end"),
            f'<rect x="{left}" y="{top}" width="{x(ratio) - left:.1f}" height="24" fill="{OURS}"/>',
            text(x(ratio) + 6, top + 17, f"{row['ratio']:.2f}" if row["ratio"] else "never"),
        ]
    words = "median requests of the candidate until it is stopped, fixed size of a z-test = 1"
    parts.append(text((left + right) / 2, bottom + 40, words, "middle"))
    return picture("Requests needed to stop a candidate with twice the errors", parts)


def main() -> None:
    """Draw all of them."""
    results = [json.loads(Path(name).read_text()) for name in sys.argv[1:]]
    OUT.mkdir(exist_ok=True)
    for name, draw in (("false_alarms", false_alarms), ("power", power)):
        rows = [row for result in results for row in result[name]]
        (OUT / f"{name.replace('_', '-')}.svg").write_text(draw(rows))


if __name__ == "__main__":
    main()
