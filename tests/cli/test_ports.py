import socket

from cli.ports import HOST, PREFERRED, choose


def test_ports_are_distinct_and_free() -> None:
    chosen = choose(dict.fromkeys("abcdef", 0))
    assert len(set(chosen.values())) == 6
    for port in chosen.values():
        with socket.create_server((HOST, port)):
            pass


def test_a_preferred_port_is_taken_when_free_and_left_when_somebody_listens() -> None:
    free = choose({"api": 0})["api"]
    assert choose({"api": free}) == {"api": free}
    with socket.create_server((HOST, free)):
        assert choose({"api": free})["api"] != free


def test_the_preferred_ports_are_distinct() -> None:
    assert len(set(PREFERRED.values())) == len(PREFERRED)
