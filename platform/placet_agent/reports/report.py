"""Posts signed reports: at once when something changed, and every few seconds anyway."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from placet_agent.client import Client, Rejected, Unreachable
from placet_agent.observed import Observed
from placet_agent.reports.metrics import RequestMeter
from placet_agent.reports.receipts import Receipts
from placet_agent.state.aborts import Aborts
from placet_agent.state.data_dir import Home
from placet_protocol.fields import format_time
from placet_protocol.report import (
    STALE_REPORT,
    Generation,
    MetricWindow,
    NodeError,
    PlatformInfo,
    Report,
    write_report,
)
from placet_verify.signing import dsse
from placet_verify.signing.keys import PrivateKey

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
MAX_WINDOWS = 500  # in one report
HELD_SECONDS = 15.0  # for which windows are kept back when the platform has too many
TOO_MANY = 429


class Reporter:
    """A thread that tells the platform what the node sees."""

    def __init__(
        self,
        client: Client,
        home: Home,
        key: PrivateKey,
        platform: Callable[[], PlatformInfo],
        meter: RequestMeter,
        aborts: Aborts,
        receipts: Receipts,
    ) -> None:
        self.client = client
        self.home = home
        self.key = key
        self.platform = platform
        self.meter = meter
        self.aborts = aborts
        self.receipts = receipts
        self.observed = self._arrived = Observed()
        self._errors: deque[NodeError] = deque(maxlen=50)  # told once
        self._held_until = 0.0
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="report", daemon=True)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def stop(self) -> None:
        """Post what is left and end."""
        self._stop.set()
        self._changed.set()
        self._thread.join(timeout=5)

    def show(self, observed: Observed) -> None:
        """Report ``observed`` at once if it differs from what was shown before.

        What went wrong and is over before a report of it arrived is told once all the same.
        """
        if observed == self.observed:
            return
        if self.observed is not self._arrived:
            over = (error for error in self.observed.errors if error not in observed.errors)
            self._tell_once(*over)
        self.observed = observed
        self._changed.set()

    def error(self, code: str, detail: str) -> None:
        """Tell of something once, with the next report."""
        log.error("%s: %s", code, detail)
        self._tell_once(NodeError(code=code, detail=detail[:1900]))
        self._changed.set()

    def _tell_once(self, *errors: NodeError) -> None:
        for error in errors:
            if error not in self._errors:
                self._errors.append(error)

    def _run(self) -> None:
        wait = 0.0
        while not self._stop.is_set():
            self._changed.wait(EVERY_SECONDS)
            self._changed.clear()
            if not self._post():
                wait = min(max(0.25, wait * 2), EVERY_SECONDS)
                self._stop.wait(wait)
                self._changed.set()
            else:
                wait = 0.0
        self._post()

    def _post(self) -> bool:
        windows, gaps = self.meter.take()
        for gap in gaps:
            self.error("metrics_gap", gap)
        held = time.monotonic() < self._held_until
        sent = windows[: 0 if held else MAX_WINDOWS]
        try:
            self._send(sent)
        except Rejected as refusal:
            self._rejected(refusal)
            if "/metrics" in str(refusal.body.get("errors")):  # they would be refused for ever
                windows = windows[len(sent) :]
        except Unreachable as error:
            log.info("a report did not arrive: %s", error)
        except Exception:  # whatever it is: a node that reports no more is taken for a dead one
            log.exception("reporting failed")
        else:
            self.meter.give_back(windows[len(sent) :])
            return True
        self.meter.give_back(windows)
        return False

    def _send(self, windows: list[MetricWindow]) -> None:
        errors, observed = list(self._errors), self.observed
        self.client.report(self.envelope(observed, windows, errors))
        self._arrived = observed
        for item in errors:
            with suppress(ValueError):  # it made room for a newer one meanwhile
                self._errors.remove(item)
        self.aborts.tell(observed.aborts)
        self.receipts.told(observed.receipts)

    def _rejected(self, refusal: Rejected) -> None:
        log.warning("the platform refuses a report: %s %s", refusal.status, refusal)
        number = refusal.body.get("number")
        if refusal.code == STALE_REPORT and isinstance(number, int):
            self.home.reported = number
        if refusal.status == TOO_MANY:  # the next report, at once, is of what is seen alone
            self._held_until = time.monotonic() + HELD_SECONDS

    def envelope(
        self, observed: Observed, windows: list[MetricWindow], errors: list[NodeError]
    ) -> str:
        """Return the next report, signed."""
        number = max(self.home.reported + 1, int(time.time() * 1000))
        self.home.reported = number
        report = Report(
            v=1,
            node=self.client.node,
            number=number,
            at=format_time(datetime.now(UTC)),
            applied=Generation(epoch=observed.applied[0], number=observed.applied[1]),
            platform=self.platform(),
            proxy=observed.proxy,
            checkpoint=self.home.remembered().checkpoint,
            revisions=list(observed.revisions),
            prefetched=list(observed.prefetched),
            recalled=list(observed.recalled),
            errors=[*errors, *observed.errors],  # what is told once goes first: the rest may be cut
            aborts=list(observed.aborts),
            receipts=list(observed.receipts),
            warm=observed.warm,
            metrics=windows,
        )
        return dsse.sign(dsse.REPORT, write_report(report), self.key).to_json()
