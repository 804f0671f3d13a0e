import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.connection import split_connection
from pipeline.errors import Rejected


@pytest.mark.parametrize(
    ("connection", "parts"),
    [
        ("rob@rootsystem.com/end10843", ("rob@rootsystem.com", "end10843")),
        ("a/b/c", ("a/b", "c")),
        ("Zoë/Ω", ("Zoë", "Ω")),
    ],
)
def test_a_connection_is_split_at_the_last_slash(connection: str, parts: tuple[str, str]) -> None:
    assert split_connection(connection) == parts


@pytest.mark.parametrize("connection", ["", "/", "a/", "/b", "ab", " /b", "a/ ", "a\n/b", "a/b\x00", "a/" + "b" * 512])
def test_half_a_connection_is_rejected(connection: str) -> None:
    with pytest.raises(Rejected, match="bad_connection"):
        split_connection(connection)


@given(st.text())
def test_any_text_is_split_whole_or_rejected(connection: str) -> None:
    whole = connection.isprintable() and len(connection) <= 512
    if whole and all(part.strip() for part in connection.rpartition("/")):
        assert "/".join(split_connection(connection)) == connection
    else:
        with pytest.raises(Rejected, match="bad_connection"):
            split_connection(connection)
