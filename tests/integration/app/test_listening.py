"""Where the service listens: nobody else can be where `localhost` leads."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from hookline_service.app.sockets import AddressUnavailableError, listen


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def both_loopbacks() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")


def _addresses(listeners: list[socket.socket], opened: ExitStack) -> list[str]:
    for each in listeners:
        opened.enter_context(each)
    return [each.getsockname()[0] for each in listeners]


@pytest.mark.usefixtures("both_loopbacks")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_both_loopbacks_are_the_services_at_one_port(host: str, opened: ExitStack) -> None:
    listeners = listen(host, 0)

    assert set(_addresses(listeners, opened)) == {"127.0.0.1", "::1"}
    assert len({each.getsockname()[1] for each in listeners}) == 1


@pytest.mark.usefixtures("both_loopbacks")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "", "::", "::ffff:127.0.0.1"])
def test_nobody_else_can_listen_where_localhost_leads(address: str, opened: ExitStack) -> None:
    listeners = listen("127.0.0.1", 0)
    _addresses(listeners, opened)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    intruder = opened.enter_context(socket.socket(family))
    intruder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        intruder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

    with pytest.raises(OSError, match="in use"):
        intruder.bind((address, listeners[0].getsockname()[1]))


@pytest.mark.usefixtures("both_loopbacks")
def test_a_port_that_is_taken_on_the_other_loopback_is_refused(opened: ExitStack) -> None:
    taken = opened.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
    port = taken.getsockname()[1]

    with pytest.raises(AddressUnavailableError, match=rf"\[::1\]:{port}: the port is taken"):
        listen("127.0.0.1", port)

    opened.enter_context(socket.create_server(("127.0.0.1", port)))  # nothing was left open
