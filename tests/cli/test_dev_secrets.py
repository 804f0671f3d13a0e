import stat
from pathlib import Path

import jwt
import pytest

from cli.dev_secrets import MAKERS, DevSecrets
from cli.logs import cap, tail


def test_secrets_survive_a_restart_and_only_the_owner_can_read_them(tmp_path: Path) -> None:
    made = DevSecrets.in_directory(tmp_path / "secrets")
    assert DevSecrets.in_directory(tmp_path / "secrets") == made
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    for file in (tmp_path / "secrets").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_two_directories_share_no_secret(tmp_path: Path) -> None:
    one, two = DevSecrets.in_directory(tmp_path / "one"), DevSecrets.in_directory(tmp_path / "two")
    for name in MAKERS:
        assert getattr(one, name) != getattr(two, name)


def test_no_secret_is_in_repr(tmp_path: Path) -> None:
    made = DevSecrets.in_directory(tmp_path)
    assert not [name for name in MAKERS if getattr(made, name).get_secret_value() in repr(made)]


def test_the_public_half_checks_what_the_private_one_signs(tmp_path: Path) -> None:
    made = DevSecrets.in_directory(tmp_path)
    token = jwt.encode({"sub": "a/b"}, made.signing_key.get_secret_value(), algorithm="RS256")
    assert jwt.decode(token, made.public_key.read_text(), algorithms=["RS256"]) == {"sub": "a/b"}
    other = DevSecrets.in_directory(tmp_path / "other").public_key.read_text()
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, other, algorithms=["RS256"])


def test_a_log_over_its_limit_is_cut_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with log.open("a") as writer:
        writer.write("x" * 100 + "\n")
        writer.flush()
        cap(log, limit=1000)
        assert log.stat().st_size == 101
        cap(log, limit=100)
        writer.write("after\n")
    assert log.read_text() == "after\n"
    assert (tmp_path / "api.log.1").stat().st_size == 101
    assert tail(log) == "after"
