"""Small charts that templates draw as SVG: the numbers here, the look in ``placet.css``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.assurance.periods import Period, Share
from apps.assurance.queries.as_of import RevisionHistory
from apps.rollouts.analysis.sentences import many
from apps.rollouts.analysis.stored_verdict import KeptFinding
from placet_verify.units import WHOLE

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 360, 120, 52, 4, 8, 20
LANE = 26  # how high a line of time is, as in placet.css
NARROW = 5.0  # percent of its width: no label fits
SPARK_WIDTH, SPARK_HEIGHT = 96, 26
SPANS = 300  # of one line; what is older is not drawn


@dataclass(frozen=True, slots=True)
class Tick:
    """A value on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class BoundsChart:
    """A confidence sequence over the candidate's requests: bounds, estimate, what is allowed."""

    band: str  # points of the area between the bounds
    estimate: str  # points of the line in it
    limit: Tick
    wish: str  # what the limit is
    zero: Tick | None  # where both are equal, when stable is what it is compared with
    ticks: tuple[Tick, ...]
    last: Tick  # on the axis of requests
    words: str  # for who does not see it
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    gutter: int = LEFT - 6  # where the labels beside it end
    foot: int = HEIGHT - 6
    right: int = WIDTH - RIGHT


def bounds_chart(looks: Sequence[KeptFinding]) -> BoundsChart | None:
    """Return the chart of the looks at one metric; ``None`` when there is nothing to draw yet.

    The first bounds say next to nothing and reach far beyond what matters: the scale is that of
    the last look, twice as wide, and what lies outside is cut off.
    """
    seen = [look for look in looks if look["new_requests"]]
    if len({look["new_requests"] for look in seen}) < 2:
        return None
    last, compared = seen[-1], seen[-1]["stable_requests"] is not None
    marks = [last["low"], last["high"], last["limit"], *([0.0] if compared else [])]
    spare = max(max(marks) - min(marks), 1e-6) / 2
    low, high = max(min(marks) - spare, -1.0 if compared else 0.0), min(max(marks) + spare, 1.0)

    def y(value: float) -> float:
        level = (min(max(value, low), high) - low) / (high - low)
        return round(HEIGHT - BOTTOM - level * (HEIGHT - BOTTOM - TOP), 1)

    def x(requests: int) -> float:
        return round(LEFT + requests / last["new_requests"] * (WIDTH - RIGHT - LEFT), 1)

    upper = [f"{x(look['new_requests'])},{y(look['high'])}" for look in seen]
    lower = [f"{x(look['new_requests'])},{y(look['low'])}" for look in reversed(seen)]
    middle = [f"{x(look['new_requests'])},{y(_estimate(look))}" for look in seen]
    return BoundsChart(
        band=" ".join([*upper, *lower]),
        estimate=" ".join(middle),
        limit=Tick(y(last["limit"]), _in_percent(last["limit"])),
        wish="sought" if last.get("sought") else "allowed",
        zero=Tick(y(0.0), "0") if compared else None,
        ticks=tuple(Tick(y(value), _in_percent(value)) for value in (high, low)),
        last=Tick(x(last["new_requests"]), many(last["new_requests"], "requests")),
        words=last["sentence"],
    )


def _in_percent(share: float) -> str:
    """Return a share with three digits and never as a power of ten."""
    text = f"{float(f'{share * 100:.3g}'):.8f}".rstrip("0").rstrip(".")
    return f"{text}%".replace("-", "−")


def _estimate(look: KeptFinding) -> float:
    rate, stable = look["new_bad"] / look["new_requests"], look["stable_requests"]
    return rate - (look["stable_bad"] or 0) / stable if stable else rate


@dataclass(frozen=True, slots=True)
class Span:
    """A revision had a share for a time: where that is on the line, in percent of its width."""

    x: float
    width: float
    y: float
    height: float
    tone: str  # two that take turns, and one for what only answered testers and copies
    label: str
    words: str


@dataclass(frozen=True, slots=True)
class Timespans:
    """What served behind an endpoint over a time, as one line."""

    spans: tuple[Span, ...]

    @property
    def words(self) -> str:
        """The line for who does not see it."""
        return "; ".join(span.words for span in self.spans)


def timespans(history: Sequence[RevisionHistory], since: datetime, until: datetime) -> Timespans:
    """Return the line of what served between two instants: as high as a share, the newer above."""
    whole = (until - since).total_seconds()

    def x(at: datetime) -> float:
        return round(min(max((at - since).total_seconds() / whole, 0.0), 1.0) * 100, 3)

    rows = [(row, period) for row in history for period in row.periods]
    rows.sort(key=lambda one: one[1].begin.at)
    spans = []
    for row, period in rows[-SPANS:]:
        begin, end = x(period.begin.at), x(period.end.at) if period.end else 100.0
        high = round(max(period.share.weight / WHOLE * LANE, 3.0), 1)
        newer = any(one is not row and one.number < row.number for one in _beside(history, period))
        spans.append(
            Span(
                x=min(begin, 99.8),  # what has just begun is seen too
                width=max(end - begin, 0.2),
                y=0 if newer else round(LANE - high, 1),
                height=high,
                tone=("odd" if row.number % 2 else "even") if period.share.weight else "tried",
                label=f"{row.number}" if end - begin >= NARROW and high > LANE / 2 else "",
                words=_said(row, period),
            )
        )
    return Timespans(tuple(spans))


def _beside(history: Sequence[RevisionHistory], period: Period) -> list[RevisionHistory]:
    """Return whatever served at the time that ``period`` began."""
    return [row for row in history if any(one.covers(period.begin.at) for one in row.periods)]


def _said(row: RevisionHistory, period: Period) -> str:
    name = f" ({row.approved.model}:{row.approved.version})" if row.approved.model else ""
    share = share_words(period.share)
    end = f"until {period.end.at:%Y-%m-%d %H:%M:%S} UTC" if period.end else "UTC and still"
    begin = f"{'started' if period.started else 'from'} {period.begin.at:%Y-%m-%d %H:%M:%S}"
    return f"Revision {row.number}{name}, {share}, {begin} {end}"


def share_words(share: Share) -> str:
    """Return a share of the requests in words."""
    return f"{share.weight / 100:g}%" if share.weight else "testers or copies"


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Counts of equal stretches of time as a small area without axes."""

    area: str  # points of a polygon
    line: str  # points of its upper edge
    words: str  # for who does not see it
    total: int
    width: int = SPARK_WIDTH
    height: int = SPARK_HEIGHT


def sparkline(counts: Sequence[int]) -> Sparkline:
    """Return requests by minute as a small area, as high as the most of them."""
    most, last = max(counts, default=0), max(len(counts) - 1, 1)
    points = [
        f"{round(place / last * SPARK_WIDTH, 1)},"
        f"{round(SPARK_HEIGHT - 1 - count / (most or 1) * (SPARK_HEIGHT - 2), 1)}"
        for place, count in enumerate(counts)
    ]
    total = sum(counts)
    return Sparkline(
        area=" ".join([f"0,{SPARK_HEIGHT}", *points, f"{SPARK_WIDTH},{SPARK_HEIGHT}"]),
        line=" ".join(points),
        words=f"{many(total, 'requests')} in the last hour, at most {most:,} a minute",
        total=total,
    )


@dataclass(frozen=True, slots=True)
class SplitSpan:
    """What one of several has of a bar: where it is, in percent of its width."""

    x: float
    width: float
    tone: str


def split_bar(weights: Sequence[int]) -> list[SplitSpan]:
    """Return a bar of shares out of 10,000, side by side in their order."""
    spans, x = [], 0.0
    for place, weight in enumerate(weights):
        width = weight / WHOLE * 100
        spans.append(SplitSpan(round(x, 2), round(width, 2), "new" if place else "old"))
        x += width
    return spans
