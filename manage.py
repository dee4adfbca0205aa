#!/usr/bin/env python3
"""Entry point for every management command; puts the two source roots on the path."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def main() -> None:
    """Run one management command.

    ``platform/`` is a source root and never a package: an ``__init__.py`` there would shadow
    Python's own ``platform`` module, so its presence is refused in words before anything imports.
    """
    if (ROOT / "platform" / "__init__.py").exists():
        sys.exit("platform/__init__.py shadows Python's own `platform` module: remove it.")
    sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
