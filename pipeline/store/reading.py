"""One channel of one attempt, read to its end: what it shows, and the fences that end what it does not show."""

from dataclasses import dataclass
from hashlib import blake2b

from pipeline.models import Retraction
from pipeline.rules.coverage import Proof
from pipeline.rules.versions import epoch_digits, version
from pipeline.store.keys import Keys
from pipeline.store.runs import Run
from pipeline.store.scripts import Changes


@dataclass(frozen=True, slots=True)
class Reading:
    """One channel of one attempt, complete, and the change that its judgement becomes."""

    keys: Keys
    run: Run
    channel: str
    number: int
    epoch: int
    proved: Proof
    sound: bool
    changes: Changes

    def fence(self, thread: str = "") -> Retraction:
        """What ends whatever this reading did not show: of the window's history, or of one thread."""
        run, lane = self.run, f"thread:{thread}" if thread else "history"
        scope = f"message:{run.team}:{self.channel}:{lane}"
        # Of a thread that was read alone each fence reaches further than the one before, and takes its place.
        reach = "" if run.thread_ts else f":{run.latest}" if thread else f":{run.oldest}:{run.latest}"
        return Retraction(
            id=scope + reach,
            version=version(self.epoch),
            target="message",
            match={"team": run.team, "channel": self.channel, "lane": lane},
            after=None if thread else run.oldest,
            until=run.latest,
            below=epoch_digits(self.epoch),
            reason="reread",
        )


def spread(connection: str) -> float:
    """A connection's place in the night, 0 to 1: the same on every machine."""
    return int.from_bytes(blake2b(connection.encode(), digest_size=4).digest()) / 2**32
