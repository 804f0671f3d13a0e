"""Paths as they came: in a decoded one, an organisation's `%2F` would be a slash like any other."""

from urllib.parse import quote, unquote

from starlette.requests import Request

from common_mesh.reference.store import Space


def raw_path(request: Request) -> str:
    """The path, still percent-encoded."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return raw.split(b"?", 1)[0].decode("latin-1")


def place(path: str) -> tuple[Space, str] | None:
    """`/look/{org}/{module}/{model}` and what follows (`""` or `effects`), None for anything else."""
    match [unquote(part) for part in path.strip("/").split("/")]:
        case ["look", org, module, model, *rest] if rest in ([], ["effects"]):
            return Space(org, module, model), "".join(rest)
    return None


def look(space: Space, leaf: str = "") -> str:
    """The page of a space."""
    return "/".join(["/look", *(quote(part, safe="") for part in space), *([leaf] if leaf else [])])
