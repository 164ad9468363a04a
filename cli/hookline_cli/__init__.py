"""The `hookline` command: a client of the service, one module per noun under `commands`."""

from __future__ import annotations
