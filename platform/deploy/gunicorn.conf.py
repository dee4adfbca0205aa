"""How gunicorn serves the web process in production; every value comes from Placet's settings.

With certificate files it answers https itself and reads them anew within a second, so that a
renewed certificate needs no restart. Without, a proxy on this machine ends TLS.
"""

import os

from placet.kernel import config as _settings  # the name `config` is gunicorn's own

_config = _settings.config()
_host = _config.listen.rpartition(":")[0]
_local = _host in ("127.0.0.1", "localhost", "[::1]") or _config.listen.startswith("unix:")
if not _config.tls_cert and not _local:
    raise SystemExit(
        f"PLACET_LISTEN={_config.listen} would serve plain http to other machines: set "
        "PLACET_TLS_CERT and PLACET_TLS_KEY, or listen on 127.0.0.1 behind a proxy"
    )

wsgi_app = "placet.wsgi"
worker_class = "placet.web.worker.Worker"
bind = [_config.listen]
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = _config.web_threads
timeout = 60
graceful_timeout = 10
keepalive = 75  # longer than a proxy keeps its own (nginx 60 s): who closes first loses no request
worker_tmp_dir = "/dev/shm"  # noqa: S108  (the heartbeat file of gunicorn, never a disk)
control_socket_disable = True
if _config.tls_cert:
    certfile, keyfile = str(_config.tls_cert), str(_config.tls_key)
