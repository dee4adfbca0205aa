"""What a command waits for, told while it waits."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.live import Live
from rich.text import Text

from placet_client import output
from placet_client.cli.command import INTERRUPTED, ended
from placet_client.client import Client
from placet_client.output import plain, say
from placet_client.records import AskedDecider, Decision, Gate, Release, ReleaseDetail, Rollout

PHASES = {"starting": "its replicas start", "draining": "the replicas before it drain"}
NAMED = 5  # people by name, then how many more
PEOPLE = ("approvals", "changes")  # the gates that people hold


class Watch:
    """Tells at most once a second what is waited for.

    On a terminal the present state is a line that is rewritten, with how long it took so far.
    Elsewhere it is a line of its own whenever ``key`` has changed. Lines of a log stay.
    """

    def __init__(self, screen: Live | None) -> None:
        self._screen, self._began = screen, time.monotonic()
        self._text = self._key = self._said = ""
        self._log: list[str] = []
        self._at = self._began - 1

    def show(self, text: str, key: str = "", *, log: Iterable[str] = ()) -> None:
        """Tell the present state, behind lines of a log; ``key`` leaves out what changes all the
        time."""
        self._text, self._key = text, key or text
        self._log += log
        self._print()

    def close(self) -> None:
        """Print what was held back."""
        self._print(last=True)

    def _print(self, *, last: bool = False) -> None:
        if not last and time.monotonic() - self._at < 1:
            return
        lines, self._log = self._log, []
        if self._screen is None and self._key != self._said:
            lines, self._said = [*lines, self._text], self._key
        for line in lines:
            say(line)
        if self._screen is not None and not last and self._text:
            so_far = spell(time.monotonic() - self._began)
            self._screen.update(Text(plain(f"{self._text} ({so_far})")), refresh=True)
        elif not lines:
            return
        self._at = time.monotonic()


@contextmanager
def watching(client: Client, later: str, page: str, *parts: object) -> Iterator[Watch]:
    """Tell what is waited for; Ctrl-C ends the command and says how to go on: the command to type
    ``later``, and the page."""
    screen = None
    if output.notes.is_terminal and not output.notes.is_dumb_terminal:
        screen = Live(
            console=output.notes,
            transient=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        screen.start()
    watch = Watch(screen)
    try:
        yield watch
    except KeyboardInterrupt:
        sentence = f"No longer waiting; what was begun goes on. To wait again:\n  {later}"
        raise ended(client, INTERRUPTED, sentence, page, *parts) from None
    finally:
        watch.close()
        if screen is not None:
            screen.stop()


def spell(seconds: float) -> str:
    """Return how long something took, in words: ``42 s``, ``3 min``, ``2 h 5 min``."""
    minutes = int(seconds) // 60
    if not minutes:
        return f"{int(seconds)} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def release_state(row: Release, rollout: Rollout | None = None) -> str:
    """Return the state of a release as pages have it: what is live behind a stopped endpoint is
    stopped, and it is paused where its ``rollout``, which is under way, is."""
    if row.state == "rolling_out" and rollout and rollout.waits:
        return "paused"
    return "stopped" if row.is_stopped else row.state


def listed_state(row: Release, rollout: Rollout | None = None) -> str:
    """Return the same in a list, which shows no gates: what waits for people says where it does so
    in vain, or is held."""
    return row.stands if row.state == "requested" else release_state(row, rollout)


def release_stands(view: ReleaseDetail, rollout: Rollout | None = None) -> tuple[str, str]:
    """Return how a release stands and what it waits for, and the same without what counts up."""
    row, parts, keys = view.release, list[str](), list[str]()
    if row.state in ("requested", "approved"):
        for gate in view.gates:
            if not gate.passed and gate.state == "waiting":
                parts.append(gate_in_words(gate, view))
                keys.append(parts[-1] if gate.gate in PEOPLE else gate.title)
        parts += [view.too_few_people, _beside(view)]
    if rollout:
        parts.append(rollout_stands(rollout))
    text = f"Release {row.number} ({row.id}) is {release_state(row).replace('_', ' ')}"
    said = "; ".join(filter(None, parts))
    return (f"{text}: {said}" if said else text), "\n".join([text, *keys, *parts[len(keys) :]])


def _beside(view: ReleaseDetail) -> str:
    """Return what a release waits for beside its gates, '' for nothing."""
    row = view.release
    if view.waits_for or row.state != "approved":
        return view.waits_for
    if isinstance(row.plan, Mapping) and row.plan.get("start") == "manual":
        return f"an operator starts it (placet release start {row.id})"
    passed = all(gate.passed or gate.state == "skipped" for gate in view.gates)
    return "its rollout starts by itself" if passed else ""


def gate_in_words(gate: Gate, view: ReleaseDetail) -> str:
    """Return what keeps a gate closed, with its title where that is not said by its reason."""
    said = reason_in_words(gate, view)
    if gate.gate == "changes":
        return f"{said[:1].lower()}{said[1:]}"
    is_people = gate.gate == "approvals" and gate.state == "waiting"
    return said if is_people else f"{gate.title}: {said}"


def reason_in_words(gate: Gate, view: ReleaseDetail) -> str:
    """Return why a gate of a release is as it is; where people keep it closed, who of them could
    open it. Gates that are looked at no more have the reason that they had."""
    if view.release.state not in ("requested", "approved"):
        return gate.reason
    if gate.gate == "changes":
        return f"Changes requested by {', '.join(_said(one) for one in _asking(view))}. {view.held}"
    if gate.gate != "approvals" or gate.state != "waiting":
        return gate.reason
    role = gate.facts.get("role")
    people = [p for p in view.may_still_decide if role in p.roles]
    able = [p.name for p in people if not p.needs]
    again = [p.name for p in view.may_decide_again if role in p.roles]
    if able:
        return f"{gate.reason}: {_first(able)}"
    if again:
        return f"{gate.reason}, and {', '.join(again)} could, who requested changes"
    if people:
        return f"{gate.reason}, and nobody can decide yet: {_first([called(p) for p in people])}"
    return "; ".join([f"{gate.reason}, and no {role} is left who could", *_barred(view)])


def called(person: AskedDecider) -> str:
    """Return the name of somebody whose decision is waited for, and what they need first."""
    return f"{person.name} ({person.needs})" if person.needs else person.name


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def _asking(view: ReleaseDetail) -> list[Decision]:
    """Return the requests for changes that stand."""
    return [d for d in view.decisions if d.verdict == "request_changes" and not d.voided_reason]


def _said(decision: Decision) -> str:
    words = " ".join(decision.comment.split())
    return f"{decision.name} (“{words}”)" if words else decision.name


def _barred(view: ReleaseDetail) -> list[str]:
    return [person.why for person in view.cannot_count[:NAMED]]


def rollout_stands(row: Rollout) -> str:
    """Return where a rollout is."""
    if row.paused:
        held = row.waits[:1].lower() + row.waits[1:] or "paused"
        return f"{held} (placet rollout resume {row.id} --reason … goes on), {_share(row)}"
    if row.state in PHASES:
        return PHASES[row.state]
    if row.step is None or row.step >= len(row.steps):
        return f"{row.state.replace('_', ' ')}, {_share(row)}"
    step = step_in_words(row.steps[row.step], row.id)
    return f"step {row.step + 1} of {len(row.steps)}, {step}; {_share(row)}"


def _share(row: Rollout) -> str:
    return f"{row.weights.get(row.to_revision, 0) / 100:g}% of the requests go to it"


def step_in_words(step: Mapping[str, Any], rollout_id: str) -> str:
    """Return a step of a plan in a few words."""
    kind, terms = next(iter(step.items()), ("", None))
    match kind, terms:
        case "set_weight", _:
            return f"to {terms:g}%"
        case "pause", {"duration_seconds": seconds}:
            return f"a pause of {spell(seconds)}"
        case "pause", _:
            return f"a pause until resumed (placet rollout resume {rollout_id} --reason …)"
        case "ship", _:
            return "until shipped in the browser"
        case "set_mirror", {"percent": percent}:
            return f"copies of {percent:g}% of the requests"
        case "set_header_route", {"header": header, "value": value}:
            return f"requests with {header}: {value}"
        case "ab_test", _:
            return "an A/B test"
    return "an analysis" if kind == "analysis" else kind.replace("_", " ")
