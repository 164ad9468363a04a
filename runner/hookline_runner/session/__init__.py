"""Everything that runs inside a session's process, beside the project's code. Standard library only."""

from __future__ import annotations
