"""The project's store as a test sees it."""

from __future__ import annotations

from collections import UserDict
from typing import Any

from hookline.arguments import name_of, value_of
from hookline.stand_in import MemoryStore


class StoredValues(UserDict[str, Any]):
    """What was in the store when it was asked for. What is written to it, or deleted, is so in the store, too."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self.data = store.as_dict()
        self._store = store

    def __setitem__(self, key: str, item: Any) -> None:
        """Write the value; None deletes, as in the store."""
        value = value_of(item, "store: value")
        self._use("set", name_of(key, "store: key"), value)
        if item is None:
            self.data.pop(key, None)
        else:
            self.data[key] = self._store.as_dict()[key]

    def __delitem__(self, key: str) -> None:
        """Delete the value; raises KeyError when there is none."""
        del self.data[key]
        self._use("del", key)

    def _use(self, operation: str, key: str, *operands: object) -> None:
        self._store.use({"op": operation, "key": key, "operands": operands, "ttl_s": None})
