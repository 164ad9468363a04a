"""What can go wrong with the store itself."""

from __future__ import annotations

from hookline.errors import ConflictError, InternalError, InvalidError, UnavailableError


class StorageUnavailableError(UnavailableError):
    """The database cannot be read or written now: disk full, input/output error, closed."""

    code = "storage.unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the database cannot be used now: {reason}")
        self.reason = reason

    @property
    def details(self) -> dict[str, object]:
        """What the database said."""
        return {"reason": self.reason}


class StorageFailedError(InternalError):
    """The database refused a statement that should have been valid."""

    code = "storage.failed"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the database refused a statement: {reason}")


class ProjectNameTakenError(ConflictError):
    """Another project has the name."""

    code = "project.name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"another project is called {name!r}; choose another name, or deploy again"
        )
        self.name = name

    @property
    def details(self) -> dict[str, object]:
        """The name asked for."""
        return {"name": self.name}


class StorageLockedError(ConflictError):
    """Another service uses the file."""

    code = "storage.locked"

    def __init__(self, path: str, owner: str) -> None:
        holder = f"process {owner}" if owner else "another process"
        super().__init__(
            f"{path} is in use by {holder}; stop that service, or choose another --home"
        )
        self.path = path
        self.owner = owner

    @property
    def details(self) -> dict[str, object]:
        """The file, and the process that has it."""
        return {"path": self.path, "owner": self.owner}


class StorageNewerError(InvalidError):
    """The file was written by a newer Hookline."""

    code = "storage.newer"

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(
            f"{path} has schema version {found}, but this Hookline knows only up to {known}; "
            "install the newer Hookline that wrote it, or restore a backup"
        )
        self.path = path
        self.found = found
        self.known = known

    @property
    def details(self) -> dict[str, object]:
        """The file, its version and the newest version known here."""
        return {"path": self.path, "found": self.found, "known": self.known}


class StorageForeignError(InvalidError):
    """The file is not a database of Hookline."""

    code = "storage.foreign"

    def __init__(self, path: str, reason: str, *, is_backup: bool = False) -> None:
        way = "give a file that `hookline backup` wrote" if is_backup else "choose another --home"
        super().__init__(f"{path} is not a Hookline database: {reason}; {way}")
        self.reason = reason


class StorageDamagedError(InvalidError):
    """The file failed its check."""

    code = "storage.damaged"

    def __init__(self, path: str, findings: tuple[str, ...], *, is_backup: bool = False) -> None:
        way = "take another" if is_backup else "restore a"
        super().__init__(
            f"{path} is damaged ({findings[0]}); {way} backup with `hookline restore FILE`"
        )
        self.findings = findings

    @property
    def details(self) -> dict[str, object]:
        """What the check found."""
        return {"findings": list(self.findings)}


class BackupExistsError(ConflictError):
    """The file to copy to exists."""

    code = "storage.backup_exists"

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} exists; a backup is written to a new file")
