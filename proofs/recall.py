"""``make prove``: one recall over a thousand simulated agents, some cut off, some lying.

Each agent has a key of its own and speaks to the real views over PostgreSQL
(``tests/support/fleet.py``). What ran on each before and how it behaves is drawn by ``--seed``; the
report that the API gives an operator must equal that, endpoint by endpoint, before any node has
answered and after all have.
Written to ``proofs/results/recall-DATE-COMMIT-seedN.json``; 1 when anything differs.
"""

import json
import logging
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from benchmarks.log import fresh_database  # noqa: E402
from proofs.record import RESULTS, commit  # noqa: E402


def timed(seconds: dict[str, float], name: str, act: Callable[[], Any]) -> Any:
    """Do ``act`` and note how long it took."""
    begun = time.monotonic()
    found = act()
    seconds[name] = round(time.monotonic() - begun, 1)
    print(f"{name}: {seconds[name]} s", flush=True)
    return found


def play(agents: int, seed: int) -> dict[str, Any]:
    """Recall over ``agents`` nodes; return the figures and whatever differs from the truth."""
    from django.conf import settings

    from apps.assurance.models import Receipt
    from placet_verify import recalls
    from placet_verify.signing.dsse import Envelope
    from placet_verify.signing.keys import PublicKey
    from tests.support.fleet import Fleet

    settings.ALLOWED_HOSTS = ["testserver"]
    seconds: dict[str, float] = {}
    tell = lambda text: print(text, flush=True)  # noqa: E731
    fleet = timed(seconds, "join_and_serve", lambda: Fleet.made(agents, seed, tell))
    found = timed(seconds, "recall_and_sign_states", fleet.recall)
    ran = {e: (a, "open" if a != "revoked" else "never_ran") for e, (a, _) in fleet.truth.items()}
    early = differing(ran, fleet.reported(found))
    timed(seconds, "answers", lambda: fleet.answer(found))
    reported = timed(seconds, "report", lambda: fleet.reported(found))
    kept = Receipt.objects.filter(recall=found)
    for row in kept:  # as an outsider checks each, from its bytes alone
        recalls.receipt(
            Envelope.from_json(row.envelope), PublicKey.from_base64(row.public_key), row.node_id
        )
    return {
        "agents": agents,
        "reached": len(fleet.truth),
        "before": dict(Counter(member.past for member in fleet.members)),
        "behaviour": dict(Counter(member.way for member in fleet.members)),
        "reported": dict(Counter(f"{a}: {state}" for a, state in reported.values())),
        "receipts_verified": kept.count(),
        "seconds": seconds,
        "differs_before_answers": early,
        "differs": differing(fleet.truth, reported),
    }


def differing(
    truth: dict[str, tuple[str, str]], reported: dict[str, tuple[str, str]]
) -> dict[str, Any]:
    """Return what of the report is not the truth, by endpoint."""
    return {
        endpoint: {"true": truth.get(endpoint), "reported": reported.get(endpoint)}
        for endpoint in sorted(truth.keys() | reported.keys())
        if truth.get(endpoint) != reported.get(endpoint)
    }


def main() -> int:
    """Play it, write the result down; 1 when the report is not the truth."""
    parser = ArgumentParser(description="Recall one Bento over many agents.")
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begun, state = datetime.now(tz=UTC), commit()
    logging.disable(logging.WARNING)
    with fresh_database():
        result = {
            "what": "one recall over simulated agents: what the API reports against what is true",
            "date": begun.isoformat(timespec="seconds"),
            "commit": state,
            "seed": options.seed,
            **play(options.agents, options.seed),
        }
    name = f"recall-{begun:%Y%m%d-%H%M}-{state[:12]}-seed{options.seed}.json"
    if options.agents >= 1000:
        (RESULTS / name).write_text(json.dumps(result, indent=1) + "\n")
    wrong = len(result["differs"]) + len(result["differs_before_answers"])
    print(f"{result['reached']} of {options.agents} agents reached, {wrong} reported wrongly")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
