"""What the receipt of a removal says of it."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

_Us = Annotated[int | None, Field(examples=[1764000000000000])]


class RemovalShown(BaseModel):
    """How far a revocation, a disconnect or an erasure has come in Sluice's own store; the fences waited for nothing.

    Times are microseconds, UTC. How many records of it the mesh had, nobody here knows: no ids are kept of what was
    delivered, and a mesh answers by fence, not by record.
    """

    kind: Annotated[Literal["allowlist", "disconnect", "person"], Field(description="What asked for it.")]
    state: Annotated[
        Literal["emptying", "rewriting", "complete", "emptied"],
        Field(description="`emptying`: callbacks of before wait still, or dead letters are there; `rewriting`: the "
                          "store's append-only file may still hold what was deleted; `complete`: nothing is left; "
                          "`emptied`: nothing is left in memory, and of the file nobody can tell (`not_rewritten`)."),
    ]  # fmt: skip
    waiting: Annotated[
        int | None,
        Field(description="Kept from the mesh since: records of the channels that came too late, or, of a connection "
                          "that ended, callbacks, unopened. They go on being counted while late ones come. Null: of "
                          "an erasure, whose records are only counted in all (`dropped.excluded.…` of `/v1/status`)."),
    ]  # fmt: skip
    dead_letters: Annotated[int, Field(description="Dead letters that were deleted for it.")]
    emptied_at: Annotated[_Us, Field(description="When nothing of it was left in memory; null: not yet.")]
    rewritten_at: Annotated[
        _Us, Field(description="When the append-only file had been rewritten after that; null: not, or not by us.")
    ]
    not_rewritten: Annotated[
        Literal["denied", "no_append_only_file"] | None,
        Field(description="Why it ends without: `denied`, the server does not let itself be asked (a managed one "
                          "rewrites by its own rules); or it says that it keeps no such file."),
    ]  # fmt: skip
