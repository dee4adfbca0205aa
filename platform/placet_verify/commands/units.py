"""``unit``: recompute which revision a unit gets."""

import argparse
import sys
from collections.abc import Iterator, Sequence

from placet_verify import units


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    unit = commands.add_parser("unit", help="say which revision units get")
    unit.add_argument("units", nargs="+", metavar="UNIT", help="- reads one a line")
    unit.add_argument("--salt", required=True, help="the candidate's salt")
    unit.add_argument("--weight", type=_weight, required=True, help="its weight out of 10000")
    unit.set_defaults(run=assign_units)


def _weight(text: str) -> int:
    if not text.isdecimal() or int(text) > units.WHOLE:
        raise argparse.ArgumentTypeError("a weight is a whole number from 0 to 10000")
    return int(text)


def assign_units(options: argparse.Namespace) -> bool:
    """Say for each unit its point and the revision that it gets."""
    for unit in _units(options.units):
        if not units.is_readable(unit):
            sys.stdout.write(f"{unit}\t-\tstable (no unit)\n")
            continue
        got = "candidate" if units.gets_candidate(options.salt, unit, options.weight) else "stable"
        sys.stdout.write(f"{unit}\t{units.point(options.salt, unit)}\t{got}\n")
    return True


def _units(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == "-":
            yield from (line.removesuffix("\n") for line in sys.stdin)
        else:
            yield argument
