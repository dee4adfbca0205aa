"""A BentoML service around one model. Everything about the model is data in ``placet.json``."""

from typing import Any

import bentoml
from placet_capture import Capture
from placet_http import DESCRIPTION, Gate, PredictApp, release_headers
from placet_inputs import read_info
from placet_model import Model
from placet_monitor import log

INFO = read_info()
APP = PredictApp(INFO, Capture(INFO["signature"], log))


@bentoml.service(name=INFO["bento"], workers=1, traffic={"timeout": 60})
@bentoml.asgi_app(APP, path="/")
class PlacetService:
    # Loads the model; requests are answered by the ASGI application mounted beside it.
    __doc__ = DESCRIPTION

    def __init__(self) -> None:
        APP.model = Model(INFO)


service: Any = PlacetService
service.add_asgi_middleware(Gate, headers=release_headers(INFO["name"]))
