"""Forks: os.fork() waits for calls in progress: no child finds an object locked by a thread that it does not have."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Locked(Protocol):
    """What holds its lock while the library computes."""

    _lock: threading.RLock


_all: weakref.WeakValueDictionary[int, Locked] = weakref.WeakValueDictionary()
_held: list[Locked] = []


def wait_for(item: Locked) -> None:
    """From now on a fork waits until the object's lock is free."""
    _all[id(item)] = item


def _before_fork() -> None:
    for reference in _all.valuerefs():  # a list, made in one step: other threads may add objects
        item = reference()
        if item is not None:
            item._lock.acquire()
            _held.append(item)


def _after_fork() -> None:
    while _held:
        _held.pop()._lock.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
