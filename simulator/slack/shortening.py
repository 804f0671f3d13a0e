"""Pages that are shorter than asked, or empty, and have a cursor all the same: Slack promises no page size."""

from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True)
class Shortening:
    """`rate` is the part of the pages that are short, and of those that are empty; the same call is always alike."""

    seed: int = 1
    rate: float = 0.0

    def limit(self, limit: int, *key: object) -> int:
        """How many messages at most go on this page: 1 to `limit`."""
        drawn = self._draw("short", *key)
        return limit if drawn >= self.rate else 1 + int(drawn / self.rate * limit)

    def empties(self, *key: object) -> bool:
        """Whether this page is empty, and everything follows on the next one."""
        return self._draw("empty", *key) < self.rate

    def _draw(self, *key: object) -> float:
        digest = blake2b(repr((self.seed, key)).encode(errors="surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64
