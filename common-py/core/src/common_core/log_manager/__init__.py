"""Logging set up by one call: JSON lines or a console, bound context, and nothing that a log must not hold.

    >>> import io, logging
    >>> stream = io.StringIO()
    >>> setup(level="INFO", fmt="console", stream=stream, uncaught=False)
    >>> with bind(run_id="r1"):
    ...     logging.getLogger("gate").info("page taken", extra={"count": 3, "api_token": "abc"})
    >>> stream.getvalue().split(maxsplit=1)[1]
    'INFO gate: page taken api_token=[redacted] count=3 run_id=r1\\n'

What keeps secrets and documents out:

- a value whose *key* has a forbidden word in it (`api_token`, `sourceText`) is redacted, at any depth;
- a bearer token or JWT inside a message is redacted;
- an object of an unknown type is logged as its type, not its `repr`; bytes are counted;
- an exception is its chain of types and `file:line`, an exception group with its members: no source lines, no locals,
  no notes, and no message, which may quote a document (`JSONDecodeError`, Pydantic's `ValidationError`, `KeyError`,
  `UnicodeDecodeError`), but for types in `speaking`;
- what nobody caught, in the program or in one of its threads, is a record too, instead of a traceback on stderr.
"""

from common_core.log_manager.context import bind, bound, carried
from common_core.log_manager.formats import Console, JsonLines
from common_core.log_manager.output import setup
from common_core.log_manager.speech import FORBIDDEN, REDACTED, described

__all__ = ["FORBIDDEN", "REDACTED", "Console", "JsonLines", "bind", "bound", "carried", "described", "setup"]
