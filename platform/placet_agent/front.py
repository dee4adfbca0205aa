"""HAProxy as a pass uses it: kept running, made to follow, and told of as it is."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from placet_agent.haproxy.admin import AdminError
from placet_agent.haproxy.process import HaproxyError, PortTaken
from placet_agent.haproxy.proxy import Proxy
from placet_agent.observed import Errors
from placet_protocol.fields import format_time
from placet_protocol.report import NOT_SEEN, ProxyFault, ProxyReport, why_unreached

RETRY_SECONDS = 1.0


class Front:
    """Keeps HAProxy in front of the replicas."""

    def __init__(self, proxy: Proxy, errors: Errors) -> None:
        self.proxy, self._errors = proxy, errors
        self.up = False  # whether it runs
        self.followed = False  # and whether it follows the table now
        self.weights: dict[str, int] = {}  # what it follows, by revision
        self.report: ProxyReport = NOT_SEEN.copy()
        self._retry_at = 0.0
        self._error: Exception = HaproxyError("HAProxy does not run")  # why it does not

    def keep_running(self) -> None:
        """Start it when it does not run, and see how it is."""
        self.up = self._ensure()
        if often := self.proxy.process.ends_often:
            self._errors.tell("haproxy_ends", often)
        fault = self._fault()
        if fault != self.report["fault"] or not self.report["since"]:
            self.report = ProxyReport(fault=fault, since=format_time(datetime.now(UTC)))

    def _ensure(self) -> bool:
        if time.monotonic() >= self._retry_at:
            try:
                if self.proxy.ensure_running():
                    self.weights = {}
                return True
            except (HaproxyError, AdminError, OSError) as error:
                self._retry_at, self._error = time.monotonic() + RETRY_SECONDS, error
        self._errors.tell("haproxy", self._error)
        return False

    def _fault(self) -> ProxyFault:
        if self.up:
            return "silent" if self.proxy.is_silent else ""
        return "port_taken" if isinstance(self._error, PortTaken) else "not_running"

    @property
    def sentence(self) -> str:
        """Why nobody reaches what answers here; '' while somebody may."""
        words = why_unreached(self.report, self.proxy.settings.port)
        return f"nobody can reach it: {words}" if words else ""

    def follow(self, ready: Callable[[str], bool]) -> None:
        """Have it follow the table; what it then gives is that of revisions that are ``ready``."""
        self.followed = self.up and self._apply()
        if self.followed:
            self.weights = {r: w for r, w in self.proxy.weights().items() if ready(r)}

    def _apply(self) -> bool:
        try:
            self.proxy.apply()
        except (AdminError, HaproxyError, OSError) as error:
            if self.proxy.is_silent:
                self._errors.tell("haproxy", error)
            else:
                before = f"HAProxy goes on with an older configuration: {error}"
                self._errors.tell("haproxy_behind", before)
            return False
        if self.proxy.write_error:
            self._errors.tell("haproxy", f"its files are not written: {self.proxy.write_error}")
        return True
