"""A path as sentences that one could read out to the people in it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from apps.governance.duties.paths import NOBODY, PathStep
from placet_verify.permit.break_glass import OPENER

FACTOR_FIRST = " (needs a second factor first)"
RECALLED_FIRST = " (whose decisions were recalled)"
SIGN_IN_FIRST = " (was invited and has not signed in yet)"


def sentences(
    steps: Sequence[PathStep],
    names: Mapping[str, str],
    environment: str,
    waiting: Mapping[PathStep, str] = MappingProxyType({}),
) -> list[str]:
    """Return one sentence for each step; who makes a version and asks too does it in one. What
    whoever does one is ``waiting`` for stands behind it."""
    lines: list[str] = []
    for number, step in enumerate(steps):
        before = steps[number - 1] if number else None
        if step.act == "request" and before == PathStep("make", step.who):
            lines[-1] = f"{_name(step.who, names)} creates a version and requests its release"
            first = waiting.get(step) or waiting.get(before, "")
        else:
            lines.append(_sentence(step, names, environment))
            first = waiting.get(step, "")
        lines[-1] += first
    return lines


def _sentence(step: PathStep, names: Mapping[str, str], environment: str) -> str:
    who, whom, role = _name(step.who, names), _name(step.whom, names), step.role
    match step.act:
        case "hire":
            return (
                f"{who} adds a fake account ({whom}), signs in with it first, and makes it {role}"
            )
        case "grant":
            return f"{who} makes {whom} {role}"
        case "vouch":
            return f"{who} confirms a passkey of {whom}"
        case "draft":
            return f"{who} drafts a policy for {environment} that requires almost nobody"
        case "publish":
            return f"{who} publishes that policy"
        case "make":
            return f"{who} creates a version"
        case "edit":
            return f"{who} uploads files to a draft that someone else created"
        case "request":
            return f"{who} requests its release to {environment}"
        case "break" if role == OPENER:
            return f"{who} starts an emergency release, with a reason"
        case "break":
            return f"{who} co-signs it as {role}"
    return f"{who} approves it as {role}"


def _name(account: str, names: Mapping[str, str]) -> str:
    if account.startswith(NOBODY):
        return f"“{account}”"
    return names.get(account, account)
