"""Keeps the screenshots that README and guides show, as WebP, of those that a run has taken.

``bin/pictures.py FOLDER`` takes ``FOLDER/NAME.png`` for each link to ``screenshots/NAME.webp``.
WebP without loss is smaller than with it here: pages are flat colours and sharp letters.
"""

import re
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "docs" / "screenshots"
LINK = re.compile(r"screenshots/([\w-]+)\.webp")


def shown() -> set[str]:
    """The names of the screenshots that README and guides show."""
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    return {name for text in texts for name in LINK.findall(text.read_text())}


def main(taken: Path) -> int:
    """Convert what is shown, remove what is not, and name what the run has not taken."""
    missing = []
    KEPT.mkdir(exist_ok=True)
    for name in sorted(shown()):
        source = taken / f"{name}.png"
        if source.exists():
            with Image.open(source) as picture:
                picture.convert("RGB").save(KEPT / f"{name}.webp", lossless=True, method=6)
        else:
            missing.append(name)
    for kept in KEPT.iterdir():
        if kept.stem not in shown() or kept.suffix != ".webp":
            kept.unlink()
    if missing:
        sys.stderr.write(f"Not taken, so left as they were: {', '.join(missing)}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
