"""Who may ask the simulator's pages, and what a form says: only this origin posts, and no host name is believed."""

import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from simulator.pages import failure

Fields = dict[str, str]
Page = Callable[[Request], Awaitable[Response]]
LIMIT = 65_536
"""Bytes of a form at most."""


class FormRefused(Exception):
    """The sentence and the status that a form is refused with."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


def guarded(endpoint: Page) -> Page:
    """The endpoint behind both checks; a refusal is a page."""

    async def answered(request: Request) -> Response:
        try:
            _check_host(request)
            if request.method == "POST":
                _check_origin(request)
            return await endpoint(request)
        except FormRefused as refused:
            return failure("That was not taken", str(refused), status=refused.status)

    return answered


async def fields(request: Request) -> Fields:
    """The fields of a posted form, the first of each name. Raises `FormRefused`."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise FormRefused("This is not a form.", 415)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LIMIT:
            raise FormRefused("This form is too long.", 413)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise FormRefused("This form cannot be read.", 400) from None
    return dict(reversed(pairs))


def _check_host(request: Request) -> None:
    """Another site can give its own name this machine's address, and would then read our pages: names are refused."""
    host = (request.url.hostname or "").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise FormRefused("Open this page by an address or as localhost, not by another name.", 421) from None


def _check_origin(request: Request) -> None:
    """The browser says where a form came from. Another port of this machine is the same site, not the same origin."""
    site = request.headers.get("sec-fetch-site")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if site != "same-origin" if site is not None else request.headers.get("origin") != own:
        raise FormRefused("This form was sent from another page. Begin again here.", 403)
