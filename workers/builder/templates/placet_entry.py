"""A version's own BentoML service, with the headers that say what answered."""

import importlib
import json
from pathlib import Path
from typing import Any

from placet_http import Gate, release_headers

INFO = json.loads(Path(__file__).with_name("placet.json").read_text("utf-8"))
service: Any = getattr(importlib.import_module(INFO["module"]), INFO["attribute"])
service.add_asgi_middleware(Gate, headers=release_headers(INFO["name"]))
