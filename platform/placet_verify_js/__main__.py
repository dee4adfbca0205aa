"""``python -m placet_verify_js FILE``: write the verifier for browsers, and say its digest."""

import sys
from pathlib import Path

from placet_verify.canonical import digest
from placet_verify_js import page

if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m placet_verify_js FILE")
    Path(sys.argv[1]).write_bytes(page())
    sys.stdout.write(f"{sys.argv[1]}: {len(page())} bytes, {digest(page())}\n")
