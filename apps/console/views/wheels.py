"""The wheels of agent and client: for everybody, since a node that is to join has no session."""

from hashlib import sha256
from typing import NamedTuple

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.console import built_files

PACKAGES = {"agent": "placet_agent", "client": "placet_client"}


class ClientWheel(NamedTuple):
    """One of our wheels, and the file by which exactly it and what it needs is installed."""

    short: str
    name: str
    sha256: str
    size: int
    requirements: str

    @property
    def title(self) -> str:
        """What it is."""
        return "The node agent" if self.short == "agent" else "The command line and the SDK"

    @property
    def command(self) -> str:
        """What installs it."""
        return f"pip install --require-hashes -r {self.requirements}"


def address(request: HttpRequest, name: str) -> str:
    """Return where a file is, at the allowed host that was asked: a node in a closed network may
    know no other one."""
    host: str = request.asked_host  # type: ignore[attr-defined]
    return f"{request.scheme}://{host}{reverse('wheel', args=[name])}"


def ours(request: HttpRequest) -> list[ClientWheel]:
    """Return the wheels that were built."""
    client_wheels = []
    for short, package in PACKAGES.items():
        for path in sorted(built_files.WHEELS.glob(f"{package}-*.whl")):
            body = built_files.content(built_files.WHEELS, path.name)
            lock = address(request, f"{short}.txt")
            client_wheels.append(
                ClientWheel(short, path.name, sha256(body).hexdigest(), len(body), lock)
            )
    return client_wheels


@require_safe
def wheels(request: HttpRequest) -> HttpResponse:
    """Show each wheel with its hash and the command that installs it."""
    return render(request, "console/wheels.html", {"wheels": ours(request)})


@require_safe
def wheel(request: HttpRequest, name: str) -> HttpResponseBase:
    """Answer with a wheel, or with what to install: it by address and hash, the rest by hash."""
    body = built_files.content(built_files.WHEELS, name)
    if name.endswith(".whl"):
        return built_files.answer(request, name, body)
    this = next((wheel for wheel in ours(request) if name == f"{wheel.short}.txt"), None)
    if this is None:
        raise Http404
    package = this.name.split("-")[0].replace("_", "-")
    line = f"{package} @ {address(request, this.name)} --hash=sha256:{this.sha256}\n"
    return HttpResponse(line.encode() + body, content_type="text/plain; charset=utf-8")
