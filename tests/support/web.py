"""The pages over HTTP without a database, for those that anybody may read."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

from placet.kernel.config import config


class Quiet(WSGIRequestHandler):
    """Says nothing of each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[str]:
    """Serve on a free port, as our public address; gives it."""
    server = ThreadedWSGIServer(("localhost", 0), Quiet)
    server.set_app(get_wsgi_application())
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    url = f"http://localhost:{server.server_port}"
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(config(), "public_url", url)
            yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
