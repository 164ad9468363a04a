"""One module per noun or short command; each offers its click command as `command`."""

from __future__ import annotations
