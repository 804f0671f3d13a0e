"""op.env.example is the list of settings: it names each variable once, says what it is for, and holds no secret."""

import re
from pathlib import Path

from settings import Settings, name_of

EXAMPLE = Path(__file__).resolve().parents[2] / "op.env.example"
SECRETS = {"paragon_signing_key", "webhook_secrets", "run_token_keys", "vault_keys", "mesh_token", "events_secrets"}


def lines() -> list[str]:
    return EXAMPLE.read_text().splitlines()


def assignments() -> dict[str, str]:
    found = [re.fullmatch(r"#? ?(SLUICE_[A-Z_]+)=(.*)", line) for line in lines()]
    pairs = [(match[1], match[2]) for match in found if match]
    assert len(pairs) == len(dict(pairs)), "a variable is named twice"
    return dict(pairs)


def test_the_example_names_exactly_the_fields_of_settings() -> None:
    assert set(assignments()) == {name_of(field) for field in Settings.model_fields}


def test_every_secret_in_the_example_is_a_reference() -> None:
    for field in SECRETS:
        assert assignments()[name_of(field)].startswith("op://"), name_of(field)


def test_every_variable_of_the_example_has_a_line_of_explanation_above_it() -> None:
    for above, line in zip(lines(), lines()[1:], strict=False):
        if re.match(r"#? ?SLUICE_", line):
            assert re.match(r"# [A-Z]", above), line


def test_no_secret_has_a_default() -> None:
    for field in (*SECRETS, "core_tokens"):
        default = Settings.model_fields[field].get_default()
        assert not getattr(default, "get_secret_value", lambda default=default: default)()


def test_the_defaults_in_the_example_are_those_of_settings() -> None:
    commented = {line[2:] for line in lines() if line.startswith("# SLUICE_")}
    for line in commented:
        name, _, value = line.partition("=")
        default = Settings.model_fields[name.removeprefix("SLUICE_").lower()].default
        assert value == str(default).lower() or value == str(default), name
