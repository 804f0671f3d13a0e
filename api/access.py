"""Who may call the core routes: bearer tokens, known only by their SHA-256, with a scope each."""

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.problems import Problem
from api.services import Services

OPERATOR = "operator"
_bearer = HTTPBearer(auto_error=False, description="A core token: `operator`, or of one organisation.")


def services(request: Request) -> Services:
    """The application's services."""
    found: Services = request.app.state.services
    return found


def scope(
    known: Annotated[Services, Depends(services)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str:
    """The scope of the caller's token. 401 without one that is known; every known digest is compared."""
    digest = hashlib.sha256((credentials.credentials if credentials else "").encode()).hexdigest()
    held = [name for name, stored in known.core_tokens.items() if hmac.compare_digest(stored, digest)]
    if credentials is None or not held:
        raise Problem(401, "unauthorized", "Bearer token wanted", "Send one of the tokens of SLUICE_CORE_TOKENS.")
    return held[0]


def operator(held: Annotated[str, Depends(scope)]) -> str:
    """Only the operator."""
    if held != OPERATOR:
        raise Problem(403, "forbidden", "Operator scope wanted", "This route needs the operator's token.")
    return held


def may_see(held: str, org: str) -> bool:
    """Whether a scope covers an organisation."""
    return held in (OPERATOR, f"org:{org}")


def organisation(org: str, held: Annotated[str, Depends(scope)]) -> str:
    """The organisation in the path. 404 for another one's, as for one that does not exist."""
    if not may_see(held, org):
        raise Problem(404, "not-found", "Not found", "Nothing of that name for this token.")
    return org


Known = Annotated[Services, Depends(services)]
Scope = Annotated[str, Depends(scope)]
Operator = Annotated[str, Depends(operator)]
Organisation = Annotated[str, Depends(organisation)]
