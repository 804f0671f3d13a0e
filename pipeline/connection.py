"""A connection's name: `<user>/<org>`, Paragon's user id and the `sub` of its tokens (design.md, 2). Pure."""

from pipeline.errors import Rejected

LONGEST = 512


def split_connection(connection: str) -> tuple[str, str]:
    """`rob@example.com/end10843` → (user, org), split at the *last* slash, since a user id may hold one.

    Raises `Rejected("bad_connection")` where a part is empty, the organisation is only dots, the whole is over 512
    characters, or a character cannot be printed (it becomes a part of keys and of log lines).
    """
    user, slash, org = connection.rpartition("/")
    # A dot or two is a path's own word: no address can hold such an organisation.
    whole = bool(slash and user.strip() and org.strip(". ")) and len(connection) <= LONGEST
    if not (whole and connection.isprintable()):
        raise Rejected("bad_connection", location="connection")
    return user, org
