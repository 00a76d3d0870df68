"""Sockets inside a network namespace, made by a thread that enters it and ends."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

from provisioner.lab.space import NETNS

CLONE_NEWNET = 0x40000000

T = TypeVar("T")


def enter(namespace: str) -> None:
    """Move the calling thread into *namespace* for the rest of its life.

    Threads and processes that it starts are inside as well.

    Raises:
        OSError: there is no such namespace, or it may not be entered.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(NETNS / namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), namespace)
    finally:
        os.close(descriptor)


def inside(namespace: str, call: Callable[[], T]) -> T:
    """What *call* returns or raises when it is made within *namespace*."""
    result: list[T] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            enter(namespace)
            result.append(call())
        except BaseException as error:  # handed to the caller's thread
            failed.append(error)

    thread = threading.Thread(target=work, name=f"in-{namespace}")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return result[0]


def listen(namespace: str, host: str, port: int) -> socket.socket:
    """A TCP socket that listens within *namespace*; it stays there whoever uses it."""

    def make() -> socket.socket:
        made = socket.socket()
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, port))
            made.listen(256)
        except OSError:
            made.close()
            raise
        return made

    return inside(namespace, make)
