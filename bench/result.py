"""What a benchmark found: series of a condition, and claims that hold or do not. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Series:
    """One condition, a value a round. `unit` is for people: `records/s`."""

    name: str
    unit: str
    values: Sequence[float]

    @property
    def spread(self) -> tuple[float, float, float]:
        """Least, median, most."""
        return min(self.values), median(self.values), max(self.values)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence, the series that speaks for it, and the median that it must reach."""

    sentence: str
    series: Series
    at_least: float

    @property
    def met(self) -> bool:
        """Whether the median reaches it; the rounds' least and most tell how sure that is."""
        return median(self.series.values) >= self.at_least


@dataclass(frozen=True, slots=True)
class Found:
    """All that one subject measured. `notes` say what a reader must know to believe the figures."""

    series: Sequence[Series] = ()
    claims: Sequence[Claim] = ()
    notes: Sequence[str] = field(default_factory=tuple)


def ratio(name: str, measured: Mapping[str, Sequence[float]], one: str, to: str) -> Series:
    """`one` over `to`, round by round: what disturbed a round disturbed both."""
    pairs = zip(measured[one], measured[to], strict=True)
    return Series(name, "ratio", [left / right for left, right in pairs])


def as_json(found: Found) -> dict[str, Any]:
    """The figures for a program."""
    return {
        "series": [_series(series) for series in found.series],
        "claims": [
            {"claim": claim.sentence, "at_least": claim.at_least, "met": claim.met, **_series(claim.series)}
            for claim in found.claims
        ],
        "notes": list(found.notes),
    }


def _series(series: Series) -> dict[str, Any]:
    least, middle, most = series.spread
    spread = {"min": least, "median": middle, "max": most}
    return {"name": series.name, "unit": series.unit, **spread, "values": list(series.values)}


def as_table(subject: str, found: Found) -> str:
    """The figures for a person."""
    rows = [f"{subject:<44}{'min':>10}{'median':>10}{'max':>10}", *(_row(series) for series in found.series)]
    for claim in found.claims:
        word = "met" if claim.met else "NOT MET"
        rows += ["", f"{claim.sentence}: {word}", _row(claim.series)]
    return "\n".join([*rows, "", *(f"  {note}" for note in found.notes)])


def _row(series: Series) -> str:
    figures = "".join(f"{_figure(value):>10}" for value in series.spread)
    return f"  {series.name:<42}{figures}  {series.unit}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
