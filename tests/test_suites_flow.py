"""A held connection: it goes on, is reset, or what it carries vanishes."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterator

import pytest

from suites.fw.flow import still_flows

SO_ATTACH_FILTER = 26
DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # classic BPF: return 0, take no byte of any packet


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
        with near, far:
            yield near, far


def test_what_is_confirmed_goes_on(ends: tuple[socket.socket, socket.socket]) -> None:
    near, _ = ends

    assert still_flows(near, 1.0) == "goes on"


def test_a_reset_is_a_cut(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()

    assert still_flows(near, 1.0) == "cut"


def test_silence_is_a_cut(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    code = ctypes.create_string_buffer(DROP_ALL, len(DROP_ALL))
    program = struct.pack("HxxxxxxP", 1, ctypes.addressof(code))
    far.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    assert still_flows(near, 0.5) == "cut"
