"""Runs inside the sandbox: has one form of the model answer the rows, and writes the answers down.

``answer.py PROJECT ROWS ANSWERS``: standard library and the project's own sources only.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def asked(project: Path, rows: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what the service reads at start, and the rows as its typed inputs take them."""
    sys.path.insert(0, str(project))
    inputs = importlib.import_module("placet_inputs")
    info: dict[str, Any] = inputs.read_info()
    body = json.dumps({"instances": json.loads(rows.read_text("utf-8"))}).encode()
    try:
        return info, inputs.Inputs(info["signature"]["inputs"]).read(body)[0]
    except inputs.BadInput as bad:
        fault = bad.errors[0]
        raise SystemExit(f"A row does not fit: {fault['pointer']}: {fault['detail']}") from None


def main(project: Path, rows: Path, answers: Path) -> int:
    """Answer ``rows``."""
    info, inputs = asked(project, rows)
    model = importlib.import_module("placet_model").Model(info)
    answers.write_text(json.dumps(model.predict(inputs)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
