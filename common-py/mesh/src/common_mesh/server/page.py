"""The page to look around: spaces, their counts, their records. One file, no library, no request elsewhere."""

import base64
import hashlib
from importlib.resources import files

PAGE = (files("common_mesh.server") / "page.html").read_text("utf-8")


def _hash(tag: str) -> str:
    inside = PAGE.split(f"<{tag}>", 1)[1].split(f"</{tag}>", 1)[0]
    return "'sha256-" + base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode() + "'"


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; connect-src 'self'; script-src {_hash('script')}; style-src {_hash('style')}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
