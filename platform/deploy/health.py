"""Says whether a process is well, for health checks: ``health.py [web|control|build|agent]``.

It imports nothing of Django, so that asking every few seconds costs next to nothing.
"""

import http.client
import os
import ssl
import sys
import time
from pathlib import Path

STALE = 15.0  # seconds; a worker looks for work every second


def main(process: str) -> str:
    """Return what is wrong with ``process``; an empty text when nothing is."""
    if process in ("control", "build"):
        return worker(process)
    if process == "agent":
        return answers(int(os.environ["PLACET_ENDPOINT_PORT"]), "/healthz")
    port = os.environ.get("PLACET_LISTEN", "127.0.0.1:8000").rpartition(":")[2]
    return answers(int(port), "/readyz")


def worker(queue: str) -> str:
    """Look at the file that a worker rewrites after each successful look for work."""
    data = os.environ.get("PLACET_DATA_DIR", "/var/lib/placet")
    path = Path(data, "run", f"worker-{queue}.json")
    if not path.exists():
        return f"the worker of {queue} has not looked for work yet"
    age = time.time() - path.stat().st_mtime
    return f"the worker of {queue} last looked for work {age:.0f} s ago" if age > STALE else ""


def answers(port: int, path: str) -> str:
    """Ask on this machine, over TLS where a certificate is set: it must be the one shown."""
    certificate = os.environ.get("PLACET_TLS_CERT", "")
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
        if certificate:
            context = ssl.create_default_context(cafile=certificate)
            context.check_hostname = False  # the name is the clients' business
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=4, context=context)
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"port {port} does not answer: {error}"
    return "" if status == 200 else f"{path} answers {status}"


if __name__ == "__main__":
    fault = main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PLACET_PROCESS", "web"))
    sys.exit(fault or 0)
