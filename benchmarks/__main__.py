"""``make bench``: runs every benchmark, one after another, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ALL = (
    "log",
    "builds",
    "registry",
    "predictions",
    "serving",
    "pages",
    "split",
    "capture",
    "scaling",
    "waking",
)


def main(names: list[str]) -> int:
    """Run the benchmarks called ``names``, or all of them; return the worst exit code."""
    unknown = sorted(set(names) - set(ALL))
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(ALL)}")
        return 2
    worst = 0
    for name in names or ALL:
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, str(HERE / f"{name}.py")], check=False)
        worst = max(worst, done.returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
