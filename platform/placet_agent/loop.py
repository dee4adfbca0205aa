"""The agent: waits for states, makes them so, reports. See ``reconcile`` for one pass."""

import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from placet_agent import __version__
from placet_agent.client import Client, Rejected, Unreachable
from placet_agent.downloads.bentos import BentoFolder
from placet_agent.downloads.preparer import Preparer
from placet_agent.downloads.pythons import Interpreters
from placet_agent.downloads.runtimes import RuntimeFolder
from placet_agent.haproxy.certificate import Certificate, CertificateRefused
from placet_agent.haproxy.config import Settings
from placet_agent.haproxy.process import find_binary, version
from placet_agent.haproxy.proxy import Proxy
from placet_agent.process import limits, sandbox
from placet_agent.process.holding import HolderError
from placet_agent.process.networks import Networks
from placet_agent.process.replicas import Replicas
from placet_agent.process.starting import Program, bento_program
from placet_agent.reconcile import Reconciler
from placet_agent.reports.capture import Shipper
from placet_agent.reports.guard_watch import Sentinel
from placet_agent.reports.metrics import WINDOW_SECONDS, RequestMeter
from placet_agent.reports.receipts import Receipts, Who
from placet_agent.reports.report import Reporter
from placet_agent.secret_supply import SecretSupply
from placet_agent.state import files
from placet_agent.state.aborts import Aborts
from placet_agent.state.data_dir import Home
from placet_agent.state.secret_files import public_key
from placet_agent.state.trust import OpenedState, StateRefused, Trust
from placet_protocol.fields import hex_digest
from placet_protocol.report import FEATURES, NodeError, PlatformInfo
from placet_verify.errors import Refused

log = logging.getLogger(__name__)

POLL_SECONDS = 20
KEYS_SECONDS = 60.0  # a newer list of keys may count less, without any newer state
BUSY_SECONDS, IDLE_SECONDS = 0.03, 0.2
EMPTY_SECONDS = 1.0  # between two passes where nothing runs: a new state does not wait for it
LONGEST_RETRY = 5.0
TRIM_SECONDS = 10.0
SPARE = 5  # Bentos and runtimes that are kept although nothing names them


@dataclass(frozen=True)
class Options:
    """How an agent runs; the defaults are for people, the rest is for tests."""

    bind: str = "*"
    program: Program = bento_program
    window_seconds: float = WINDOW_SECONDS
    poll_seconds: int = POLL_SECONDS
    keys_seconds: float = KEYS_SECONDS
    max_body_bytes: int = 16 << 20
    pythons: list[Path] = field(default_factory=list)
    certificate: Certificate | None = None  # what HAProxy shows to clients
    allow_shared: bool = False  # the host's network where a replica's own is not to be had now
    warm: bool = True  # whether processes are kept warm

    def proxy_settings(self, port: int) -> Settings:
        """Return how HAProxy runs that listens at ``port``."""
        uid = sandbox.PROXY_UID if os.geteuid() == 0 else None
        return Settings(port=port, bind=self.bind, max_body_bytes=self.max_body_bytes, uid=uid)


def platform_info(
    interpreters: Interpreters, haproxy: str, port: int, networks: Networks, secret_key: str
) -> PlatformInfo:
    """Return what this host can do, and the key that secrets are sealed for."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    isolation = sandbox.isolation()
    cannot = {"apart"} if isolation == "none" else set[str]()
    return PlatformInfo(
        pythons=interpreters.versions,
        isolation=isolation,
        memory_limit=limits.limiter().kind,
        network=networks.look(),
        memory_mb=pages * size >> 20,
        cpus=os.cpu_count() or 1,
        machine=platform.machine(),
        haproxy=haproxy,
        port=port,
        agent_version=__version__,
        features=[name for name in FEATURES if name not in cannot],
        secret_key=secret_key,
    )


class Agent:
    """One node. ``run`` returns after ``stop``; replicas and HAProxy go on without it."""

    def __init__(self, home: Home, options: Options | None = None) -> None:
        options = options or Options()
        member = home.membership()
        home.make()
        self.home, self.options = home, options
        key, folder, binary = home.key, home.folder, find_binary()
        self.client, self._polling, self._fetching, self._shipping = (  # each with its connections
            Client(member.url, key, member.node, ca=member.ca) for _ in range(4)
        )
        self.trust = Trust(home, member.target, member.root, self._polling.keys)
        self._keys_asked = time.monotonic()
        self._wake, self._stopped = threading.Event(), threading.Event()
        interpreters = Interpreters([*options.pythons, *(Path(p) for p in member.runtime_pythons)])
        self.bentos = BentoFolder(folder / "bentos", self._fetching)
        runtimes = RuntimeFolder(folder / "runtimes", self._fetching, interpreters)
        settings = options.proxy_settings(member.port)
        self.proxy = Proxy(folder / "haproxy", settings, binary, options.certificate)
        shared, warm = options.allow_shared, options.warm
        into = (folder, self.bentos, runtimes, self.wake, options.program)
        self.replicas = Replicas(*into, shared=shared, warm=warm)
        self.preparer = Preparer(self.bentos, runtimes, self.wake)
        sentinel = Sentinel(Aborts(folder / "aborts.json"), self.wake)
        self.supply = SecretSupply(self._fetching, self.replicas.starter.secrets, self.wake)
        parts = (self.proxy, self.replicas, self.preparer, sentinel)
        who = Who(member.node, member.target, key)
        signed = Receipts(folder / "receipts.json", who, lambda: self.trust.recalls.book)
        self.reconciler = Reconciler(*parts, signed, self.supply, self.trust.judge_anew)
        seconds, heed = options.window_seconds, sentinel.count
        self.meter = RequestMeter(self.proxy.folder, self.proxy.admin, seconds=seconds, heed=heed)
        networks = self.replicas.starter.networks
        host = (interpreters, version(binary), member.port, networks)
        info = partial(platform_info, *host, public_key(folder))
        self.reporter = Reporter(self.client, home, key, info, self.meter, sentinel.aborts, signed)
        kept, running = folder / "capture", self.replicas.captured_as
        self.shipper = Shipper(kept, self._shipping, running, self.reporter.error)
        self._poller = threading.Thread(target=self._poll, name="poll", daemon=True)

    def wake(self) -> None:
        """Have the loop look at once."""
        self._wake.set()

    def stop(self) -> None:
        """End ``run``; what serves goes on serving."""
        self._stopped.set()
        self._wake.set()

    def run(self) -> None:
        """Serve until ``stop``."""
        self._guarded(self._load_stored, "reading the state on disk")
        self._guarded(self._clear, "clearing what an agent that was killed left")
        self._prepare()
        self.replicas.adopt()
        self.meter.start()
        self.reporter.start()
        self.shipper.start()
        self._poller.start()
        trimmed = 0.0
        while not self._stopped.is_set():
            self._wake.clear()
            self._guarded(self.reconciler.run, "a pass")
            self.reporter.show(self.reconciler.observed)
            if time.monotonic() - trimmed > TRIM_SECONDS:
                self._guarded(self._tidy, "tidying up")
                trimmed = time.monotonic()
            self._wake.wait(self._pause())
        self.preparer.close()
        self.supply.close()
        self.replicas.close()
        self.meter.stop()
        self.shipper.stop()
        self.reporter.stop()
        self._poller.join(timeout=1.5)
        for client in (self.client, self._polling, self._fetching, self._shipping):
            client.close()

    def _pause(self) -> float:
        if self.reconciler.busy:
            return BUSY_SECONDS
        return IDLE_SECONDS if self.replicas.all else EMPTY_SECONDS

    def _clear(self) -> None:
        """Remove what an agent that was killed was making or writing."""
        home = self.home.folder
        files.clear_temporaries(
            home, *(home / n for n in ("replicas", "given", "haproxy", "secrets"))
        )
        for name in ("bentos", "runtimes"):
            files.clear_unfinished(home / name)
        limits.limiter().sweep()

    def _prepare(self) -> None:
        """Have ready what starts need; each start tries again, and what serves goes on without."""
        try:
            self.replicas.starter.prepare()
        except (HolderError, OSError) as error:
            self.reporter.error("holder", str(error))

    def _tidy(self) -> None:
        """Take up a renewed certificate; keep logs short, and few Bentos and runtimes unnamed."""
        self.replicas.trim_logs()
        self._guarded(self._renew_certificate, "taking up the certificate")
        self._prune()

    def _renew_certificate(self) -> None:
        try:
            self.proxy.renew()
        except CertificateRefused as refusal:
            self.reporter.error("certificate_refused", str(refusal))

    def _prune(self) -> None:
        state = self.reconciler.state
        if state is None:
            return
        records = [replica.record for replica in self.replicas.all.values()]
        revisions = [r for endpoint in state.endpoints for r in endpoint.revisions]
        bentos = {r.bento_digest for r in revisions} | {r.bento_digest for r in records}
        bentos |= {item.bento_digest for item in state.prefetch}
        runtimes = {r.runtime.digest for r in revisions} | {r.runtime_digest for r in records}
        runtimes |= {
            item.runtime_digest for item in state.prefetch
        } | self.replicas.warming.runtimes
        for folder, digests in (("bentos", bentos), ("runtimes", runtimes)):
            keep = {hex_digest(digest) for digest in digests}
            files.prune(self.home.folder / folder, keep, SPARE)

    def _guarded(self, work: Callable[[], None], what: str) -> None:
        """Do a part of the loop; whatever it raises, the loop goes on."""
        try:
            work()
        except Exception as error:
            log.exception("%s failed", what)
            self.reporter.error("pass_failed", f"{type(error).__name__}: {error}")
            self._stopped.wait(0.5)

    def _load_stored(self) -> None:
        """Go on with the last verified state, whether or not the platform is there.

        What it tells of recalls counts first, even where the rest of it cannot be read.
        """
        text = self.home.read_text("state.json")
        if text is None:
            return
        try:
            opened = self.trust.hear(text, stored=True)
            self._tell(opened.errors)
            state = self.trust.state_of(opened).going_on(self.trust.latest.kept())
        except StateRefused as refusal:
            self.reporter.error("stored_state_refused", str(refusal))
            return
        self.reconciler.take(state, self.trust.judge(state, fetch=False))

    # --- the poller --------------------------------------------------------------------------

    def _poll(self) -> None:
        """Wait for states for ever, each try after a failure a little later."""
        wait = 0.0
        while not self._stopped.is_set():
            try:
                good = self._poll_once()
            except (Unreachable, Rejected) as error:
                log.info("no state came: %s", error)
                good = False
            except Exception as error:
                log.exception("polling failed")
                self.reporter.error("poll_failed", f"{type(error).__name__}: {error}")
                good = False
            wait = 0.0 if good else min(max(0.25, wait * 2), LONGEST_RETRY)
            self._stopped.wait(wait)

    def _poll_once(self) -> bool:
        self._store()
        state = self.reconciler.newest
        epoch, number = state.generation if state else (0, 0)
        text = self._polling.state(epoch, number, self.options.poll_seconds)
        good = True if text is None else self.accept(text)
        self._renew_keys()
        return good

    def _store(self) -> None:
        """Write down what the disk did not take before, and let in what waited for that."""
        if not self.trust.behind:
            return
        if fault := self.trust.store():
            self.reporter.error("state_unstored", fault)
            return
        state = self.reconciler.newest
        if state is not None:
            self.reconciler.take(state, self.trust.judge(state, fetch=False))
            self.wake()

    def _renew_keys(self) -> None:
        """Take up a newer list of keys by and by, and judge by it what was let in before."""
        if time.monotonic() - self._keys_asked < self.options.keys_seconds:
            return
        self._keys_asked = time.monotonic()
        try:
            newer = self.trust.refresh_keys()
        except Refused as refusal:
            self.reporter.error("keys_refused", refusal.sentence)
            return
        state = self.reconciler.newest
        if newer and state is not None:
            self.reconciler.take(state, self.trust.judge(state, fetch=False))
            self.wake()

    def accept(self, text: str) -> bool:
        """Take a state that came, if it is to be believed; tell whether it was taken.

        What it says must not run is learned first, and stops whatever becomes of the rest.
        """
        book = self.trust.recalls.book
        try:
            opened = self.trust.hear(text)
        except StateRefused as refusal:
            self.reporter.error("state_refused", f"{refusal.code}: {refusal}")
            return False
        except Refused as refusal:
            self.reporter.error("keys_refused", refusal.sentence)
            return False
        self._tell(opened.errors)
        taken = False
        try:
            taken = self._take(opened, text)
        except StateRefused as refusal:
            self.reporter.error("state_refused", f"{refusal.code}: {refusal}")
        except Refused as refusal:
            self.reporter.error("keys_refused", refusal.sentence)
        finally:  # the platform may have gone while keys were asked for
            if not taken:
                self._heed(opened, learned=self.trust.recalls.book is not book)
        return taken

    def _take(self, opened: OpenedState, text: str) -> bool:
        known = self.reconciler.newest
        state = self.trust.state_of(opened)
        state = state.going_on(known.endpoints if known is not None else self.trust.latest.kept())
        verdicts = self.trust.judge(state)
        if known is not None and state.generation <= known.generation:
            return False
        if fault := self.trust.keep(state, text):
            self.reporter.error("state_unstored", fault)
        log.info("state %s.%s", state.epoch, state.number)
        self.reconciler.take(state, verdicts)
        self.wake()
        return True

    def _heed(self, opened: OpenedState, *, learned: bool) -> None:
        """Stop what a state says must not run, though the state itself is not taken."""
        known = self.reconciler.newest
        if known is not None and (learned or opened.heard.recalled - known.recalled):
            heeding = replace(known, recalled=known.recalled | opened.heard.recalled)
            self.reconciler.take(heeding, self.trust.judge(heeding, fetch=False))
        self.wake()

    def _tell(self, errors: Iterable[NodeError]) -> None:
        for error in errors:
            self.reporter.error(error["code"], error["detail"])


def stop_everything(home: Home) -> None:
    """End all replicas and HAProxy of a node whose agent does not run."""
    member = home.membership()
    client = Client(member.url)
    bentos = BentoFolder(home.folder / "bentos", client)
    runtimes = RuntimeFolder(home.folder / "runtimes", client, Interpreters([]))
    replicas = Replicas(home.folder, bentos, runtimes, lambda: None)
    replicas.adopt(probe=False)
    proxy = Proxy(home.folder / "haproxy", Settings(port=member.port), find_binary())
    if proxy.process.adopt():
        proxy.process.stop()
    for replica in list(replicas.all.values()):
        replica.stopping_since = time.monotonic()
    while replicas.all:
        for replica in list(replicas.all.values()):
            if replicas.stop_step(replica):
                replicas.discard(replica)
        time.sleep(0.02)
    replicas.starter.holder.stop()
    client.close()
