"""What keeps a connection's pulls from being asked for, as a sentence with what to do about it."""

from typing import Final

from cli.books import Books
from pipeline.store import hold
from pipeline.store.connections import Registration

_CREDENTIAL: Final = {
    "not_connected": "Slack is not connected, Paragon says: the user does that on the Connect page (docs/connect.md).",
    "credential_invalid": "Slack does not take the user's credential any more: the user has to connect Slack anew.",
}


def obstacle(books: Books, known: Registration) -> str | None:
    """The first thing that is in the way of all of the connection's channels; None: nothing is."""
    if hold.found(books.client):
        return hold.SAYS
    if known.team is None:
        return "The Slack team is not known yet: the user connects Slack first (docs/connect.md)."
    if not known.directory_complete:
        lacking = "channels" if known.channels_complete_at is None else "users"
        return f"The directory is not complete: the {lacking} were not read to their end yet (docs/workflows.md)."
    if pauses := books.pauses.of(known.connection):
        return f"Paused ({', '.join(pauses)}): nothing is asked for until `./sluice resume {pauses[0]}`."
    look = books.looks.get(known.connection)
    if look is not None and look.other_than(known.team):
        return f"The user has connected another team than {known.team} (docs/paragon-auth.md)."
    return _CREDENTIAL.get(look.blocks) if look is not None else None
