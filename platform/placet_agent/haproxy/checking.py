"""Has HAProxy judge a configuration before it replaces a good one, and finds whose fault it is.

HAProxy reads its file in ``-c`` mode in a folder of its own, with bounds of time and memory: it may
crash of what it reads. Which endpoints are at fault is found by halving those that have rules.
"""

import signal
import subprocess
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from placet_agent.downloads.leftovers import remove
from placet_agent.haproxy import config
from placet_agent.haproxy.entry import EndpointRoute
from placet_agent.haproxy.process import HaproxyError, alerts
from placet_agent.haproxy.table import RoutingTable
from placet_agent.state import files

CHECK_SECONDS = 20
CHECK_KILOBYTES = 2 << 20
MOST_CHECKS = 48  # for one table; each takes some ten milliseconds
_FOLDER = "check"
# A host whose own limits are tighter keeps them. The descriptor of the log leads nowhere.
_LAUNCH = f"""for limit in '-c 0' '-v {CHECK_KILOBYTES}'; do
(ulimit $limit) 2>/dev/null && ulimit $limit; done
exec 3<>/dev/null; exec "$0" -c -f haproxy.cfg"""


class ConfigurationRefused(HaproxyError):
    """HAProxy would not start with this configuration, whichever endpoint is left out."""


def refusal(folder: Path, binary: str, table: RoutingTable, settings: config.Settings) -> str:
    """Return why HAProxy does not take the table; '' when it does.

    ``folder`` is HAProxy's own, where a certificate lies. Raises ``ValueError`` when the table
    cannot be written at all.
    """
    remove(folder / _FOLDER)  # of an agent that was killed meanwhile
    scratch = files.make_folder(folder / _FOLDER)
    try:
        config.write_files(scratch)
        (scratch / "haproxy.cfg").write_text(config.render(table, settings))
        for name, entries in config.maps(table).items():
            (scratch / name).write_text(config.map_text(entries))
        if settings.certificate:
            (scratch / config.CERTIFICATE).symlink_to(Path("..") / config.CERTIFICATE)
        return _run(scratch, binary)
    finally:
        remove(scratch)


def _run(scratch: Path, binary: str) -> str:
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", _LAUNCH, binary],
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=CHECK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"HAProxy did not judge it within {CHECK_SECONDS} s"
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        return f"HAProxy crashed of it ({signal.Signals(-done.returncode).name})"
    return (
        alerts(done.stderr.decode(errors="replace"))[:1000]
        or f"HAProxy ended with {done.returncode}"
    )


@dataclass
class Judge:
    """Tells which endpoints must be left out, and remembers it while their rules stay the same."""

    folder: Path
    binary: str
    checks: int = 0  # how often HAProxy was asked
    text: str = ""  # the configuration that was judged last
    _passed: str = ""
    _known: dict[tuple[object, ...], str] = field(default_factory=dict)

    def left_out(self, table: RoutingTable, settings: config.Settings) -> dict[str, str]:
        """Return why, for each endpoint without which HAProxy takes the table, which is ``text``.

        Raises ``ConfigurationRefused`` when it does not take it even without all that have rules.
        """
        out = self._unwritable(table) | self._remembered(table)
        if not self._why(table.without(out), settings):
            return out
        refused = _Search(table, lambda t: self._ask(t, settings)).run(
            set(table.endpoints) - {*out}
        )
        for endpoint, why in refused.items():
            self._known[_rules(table.endpoints[endpoint])] = why
        out |= refused
        if why := self._why(table.without(out), settings):
            raise ConfigurationRefused(why)
        return out

    def _why(self, table: RoutingTable, settings: config.Settings) -> str:
        """Return why the table is refused; HAProxy is not asked twice of what it accepts."""
        self.text = config.render(table, settings)
        judged = config.judged(self.text)
        why = "" if judged == self._passed else self._ask(table, settings)
        if not why:
            self._passed = judged
        return why

    def _ask(self, table: RoutingTable, settings: config.Settings) -> str:
        self.checks += 1
        return refusal(self.folder, self.binary, table, settings)

    def _remembered(self, table: RoutingTable) -> dict[str, str]:
        if not self._known:
            return {}
        rules = {endpoint: _rules(entry) for endpoint, entry in table.endpoints.items()}
        self._known = {key: self._known[key] for key in self._known if key in rules.values()}
        return {e: self._known[key] for e, key in rules.items() if key in self._known}

    def _unwritable(self, table: RoutingTable) -> dict[str, str]:
        found = {}
        for endpoint, entry in table.endpoints.items():
            try:
                config.try_writing(entry)
            except ValueError as error:
                found[endpoint] = str(error)
        return found


def _rules(entry: EndpointRoute) -> tuple[object, ...]:
    """Return what of an entry HAProxy's judgement hangs on."""
    return entry.number, entry.header, entry.unit, entry.copies > 0, tuple(entry.limits.items())


class _Search:
    """Finds who is at fault with few questions, and at most ``MOST_CHECKS``."""

    def __init__(self, table: RoutingTable, ask: Callable[[RoutingTable], str]) -> None:
        self.table, self.ask = table, ask
        self.left = MOST_CHECKS
        self.found: dict[str, str] = {}

    def run(self, others: Collection[str]) -> Mapping[str, str]:
        """Return who is at fault among ``others`` that have rules."""
        suspects = [e for e in others if any(_rules(self.table.endpoints[e])[1:])]
        self.muted = set(self.table.endpoints) - set(others)
        self._look(sorted(suspects), suspects)
        return self.found

    def _look(self, part: list[str], suspects: list[str]) -> None:
        if not part:
            return
        self.left -= 1
        why = self.ask(self.table.without(self.muted | (set(suspects) - set(part))))
        if not why:
            return
        if len(part) == 1 or self.left <= 0:
            self.found |= dict.fromkeys(part, why)
            return
        middle = len(part) // 2
        self._look(part[:middle], suspects)
        self._look(part[middle:], suspects)
