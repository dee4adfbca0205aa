"""A plan as a picture: a stair of how much goes to the candidate, and how long it stays so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from apps.console.templatetags.placet import number
from apps.governance.plan import (
    AbTest,
    Analysis,
    Pause,
    Plan,
    SetHeaderRoute,
    SetMirror,
    SetWeight,
    Ship,
    Step,
)
from apps.governance.queries.presets import Preset
from apps.rollouts.steps import metrics_of
from placet.kernel.durations import spell

# of the picture; a phone shows it in its own size
WIDTH, TOP, BASE, FOOT, LINE = 360, 18, 96, 109, 12
FEW = 8  # so many stairs have room for words


@dataclass(frozen=True, slots=True)
class PictureText:
    """Words in the picture, around their middle."""

    words: str
    y: float
    css: str = ""


@dataclass(slots=True)
class Stair:
    """One height of the stair. ``state``: done, now, skipped, failed (however it was ended
    early), or '' for what is to come."""

    percent: float
    holds: list[str] = field(default_factory=list)  # what it lasts for, one after the other
    beside: str = ""  # testers and copies, in words
    aside: list[str] = field(default_factory=list)  # and shortly
    state: str = ""
    steps: list[int] = field(default_factory=list)  # their indexes in the plan
    x: float = 0
    y: float = BASE
    width: float = 0
    height: float = 0
    dense: bool = False  # whether there are so many that none has room for words

    def lasts(self, hold: str) -> None:
        """Have it last for ``hold`` too."""
        if hold not in self.holds:
            self.holds.append(hold)

    @property
    def middle(self) -> float:
        """Where its words stand."""
        return self.x + self.width / 2

    @property
    def above(self) -> float:
        """The line above it, where there is room."""
        return self.label - 15 if self.label > TOP + 25 else 0

    @property
    def label(self) -> float:
        """The line that its percentage stands on."""
        return self.y - 5

    @property
    def texts(self) -> list[PictureText]:
        """Its words: how much, what goes beside it, and how long."""
        if self.dense:
            return [PictureText(number(self.percent), self.label)]
        texts = [PictureText(f"{number(self.percent)}%", self.label)]
        if self.aside and self.above:
            texts.append(PictureText(" · ".join(self.aside), self.above, "hold"))
        for line, hold in enumerate(self.holds):
            texts.append(PictureText(hold, FOOT + line * LINE, "hold"))
        return texts


@dataclass(slots=True)
class Picture:
    """The stairs of one plan."""

    stairs: list[Stair]
    says: str
    analyses: list[str]  # what each analysis and A/B test asks, a sentence each

    @property
    def height(self) -> int:
        """How high it is, with every line of words below it."""
        lines = 1 if self.dense else max([1, *(len(stair.holds) for stair in self.stairs)])
        return FOOT + (lines - 1) * LINE + 5

    @property
    def dense(self) -> bool:
        """Tell whether there is no room for words below."""
        return len(self.stairs) > FEW


_UNTIL = {
    "manual": "until resumed manually",
    "analysis": "until the analysis passes",
    "A/B test": "until the effect is shown and an approver ships it",
}


def drawn(presets: Iterable[Preset]) -> list[tuple[Preset, Picture]]:
    """Return plans with their pictures."""
    return [(preset, picture(Plan.stored(preset.plan).steps)) for preset in presets]


def picture(steps: Sequence[Step], states: Sequence[str] = ()) -> Picture:
    """Draw ``steps``; ``states`` says how far each of them is."""
    stairs: list[Stair] = []
    analyses: list[str] = []
    for index, step in enumerate(steps):
        if not stairs and not isinstance(step, SetWeight):
            stairs.append(Stair(0))
        match step:
            case SetWeight(weight=weight):
                stairs.append(Stair(weight / 100))
            case SetHeaderRoute(header=header):
                stairs[-1].beside += f" with testers by {header}"
                stairs[-1].aside.append("testers")
            case SetMirror(copies=copies):
                stairs[-1].beside += f" with copies of {copies / 100:g}%"
                stairs[-1].aside.append(f"{copies / 100:g}% copied")
            case Pause(duration_seconds=seconds):
                stairs[-1].lasts("manual" if seconds is None else spell(seconds))
            case Analysis():
                stairs[-1].lasts("analysis")
                asked = ", ".join(metric.asked for metric in metrics_of(step))
                analyses.append(f"Analysis at {stairs[-1].percent:g}%: {asked}")
            case AbTest() | Ship():
                stairs[-1].lasts("A/B test")
        stairs[-1].steps.append(index)
    for index, stair in enumerate(stairs):
        _put(stair, index, len(stairs))
        stair.state = _state([states[i] for i in stair.steps if i < len(states)])
    return Picture(stairs, _says(stairs), analyses)


def _put(stair: Stair, index: int, count: int) -> None:
    column = WIDTH / count
    stair.x, stair.width = round(index * column + 2, 1), round(column - 4, 1)
    stair.height = round(max((BASE - TOP) * stair.percent / 100, 1.5), 1)
    stair.y = round(BASE - stair.height, 1)
    stair.dense = count > FEW


def _state(states: Sequence[str]) -> str:
    if not {"failed", "aborted", "rolled_back", "ended"}.isdisjoint(states):
        return "failed"
    if "now" in states:
        return "now"
    known = [state for state in states if state]
    if len(known) < len(states) or not known:
        return ""
    return "skipped" if set(known) == {"skipped"} else "done"


def _says(stairs: Sequence[Stair]) -> str:
    """Say the picture in words, for those who do not see it."""
    parts = []
    for stair in stairs:
        until = " and ".join(_UNTIL.get(hold, f"for {hold}") for hold in stair.holds)
        parts.append(f"{stair.percent:g}%{stair.beside}{' ' + until if until else ''}")
    return ", then ".join(parts)
