"""Secret values at rest: each sealed with a key of its own, which is sealed with a key of the installation.

A box is `version, key id, nonce, wrapped data key, nonce, sealed value`. Both layers are bound to the place of the
value (project, scope, name), so that a box moved to another row does not open. Changing the installation's key
means re-wrapping data keys only: put the new key first, keep the old one behind it, and call `SecretBox.rewrap`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hookline.errors import InternalError, InvalidError, UnavailableError
from hookline_service.model.ids import ProjectId
from hookline_service.model.secret import Secret
from hookline_service.use_cases.private_files import load_or_create

KEY_FILE = "secret.key"
_VERSION = b"\x01"
_KEY_BYTES = 32
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_TAG_BYTES = 16
_WRAPPED_BYTES = _NONCE_BYTES + _KEY_BYTES + _TAG_BYTES
_HEADER_BYTES = 1 + _KEY_ID_BYTES


class SecretKeyInvalidError(InvalidError):
    """The installation's key is not 32 bytes in base64."""

    code = "secret_key.invalid"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"{origin} is not a key: write 32 random bytes in base64, as `openssl rand -base64 32` prints"
        )


class SecretKeyMissingError(UnavailableError):
    """A secret was encrypted with a key that this installation does not have."""

    code = "secret_key.missing"

    def __init__(self, place: SecretPlace, key_id: str) -> None:
        super().__init__(
            f"variable {place.label} was encrypted with key {key_id}, which is not in HOOKLINE_SECRET_KEY or the "
            f"home's {KEY_FILE}; put that key back, or set the variable again"
        )


class SecretDamagedError(InternalError):
    """An encrypted value cannot be decrypted: it was changed, or belongs to another variable."""

    code = "secret.damaged"

    def __init__(self, place: SecretPlace) -> None:
        super().__init__(f"the encrypted value of variable {place.label} is damaged; set it again")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlace:
    """Where a secret lives; a box opens only there."""

    project_id: ProjectId
    scope: str
    name: str

    @property
    def label(self) -> str:
        """As people know it: `NAME`, or `CONNECTION/NAME`."""
        return f"{self.scope}/{self.name}" if self.scope else self.name

    @property
    def bound(self) -> bytes:
        """Bytes that differ for any two places."""
        parts = [part.encode() for part in (self.project_id, self.scope, self.name)]
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class SecretBox:
    """Seals and opens secret values with the installation's keys, the first of which seals."""

    __slots__ = ("_keys", "_primary", "_texts")

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = {_key_id(key): AESGCM(key) for key in keys}
        self._texts = [base64.b64encode(key).decode() for key in keys]
        self._primary = _key_id(keys[0])

    @property
    def key_id(self) -> str:
        """Names the key that seals."""
        return self._primary.hex()

    @property
    def key_texts(self) -> tuple[str, ...]:
        """All keys as they are written in the file of keys, that which seals first. For that file alone."""
        return tuple(self._texts)

    @staticmethod
    def key_id_of(box: bytes) -> str:
        """Names the key that sealed the box."""
        return box[1:_HEADER_BYTES].hex()

    def has_key_of(self, box: bytes) -> bool:
        """Whether the key that sealed the box is here; false for what is no box."""
        return box[1:_HEADER_BYTES] in self._keys

    def lead_with(self, key: bytes) -> None:
        """Seal with this key from now on; the others go on opening."""
        self._primary = _key_id(key)
        self._keys[self._primary] = AESGCM(key)
        self._texts.insert(0, base64.b64encode(key).decode())

    def seal(self, place: SecretPlace, value: Secret) -> bytes:
        """A box with the value; no two boxes are alike."""
        return self.seal_bytes(place, value.reveal().encode())  # leaves only as the sealed box

    def seal_bytes(self, place: SecretPlace, plain: bytes) -> bytes:
        """See `seal`."""
        data_key = os.urandom(_KEY_BYTES)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(data_key).encrypt(nonce, plain, place.bound)
        return self._header() + self._wrap(data_key, place) + nonce + sealed

    def open(self, place: SecretPlace, box: bytes) -> Secret:
        """The value in the box.

        Raises:
            SecretKeyMissingError: the key that sealed it is not here.
            SecretDamagedError: the box was changed, or sealed for another place.
        """
        try:
            return Secret(self.open_bytes(place, box).decode())
        except UnicodeDecodeError as exc:
            raise SecretDamagedError(place) from exc

    def open_bytes(self, place: SecretPlace, box: bytes) -> bytes:
        """See `open`."""
        data_key = self._unwrap(place, box)
        rest = box[_HEADER_BYTES + _WRAPPED_BYTES :]
        try:
            return AESGCM(data_key).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], place.bound)
        except (InvalidTag, ValueError) as exc:
            raise SecretDamagedError(place) from exc

    def rewrap(self, place: SecretPlace, box: bytes) -> bytes:
        """The same value under the first key; the box itself when it is so already. Raises as `open` does."""
        if box[1:_HEADER_BYTES] == self._primary:
            return box
        data_key = self._unwrap(place, box)
        rest = box[_HEADER_BYTES + _WRAPPED_BYTES :]
        return self._header() + self._wrap(data_key, place) + rest

    def _header(self) -> bytes:
        return _VERSION + self._primary

    def _wrap(self, data_key: bytes, place: SecretPlace) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        bound = self._header() + place.bound
        return nonce + self._keys[self._primary].encrypt(nonce, data_key, bound)

    def _unwrap(self, place: SecretPlace, box: bytes) -> bytes:
        header = box[:_HEADER_BYTES]
        if len(box) < _HEADER_BYTES + _WRAPPED_BYTES or not header.startswith(_VERSION):
            raise SecretDamagedError(place)
        key = self._keys.get(header[1:])
        if key is None:
            raise SecretKeyMissingError(place, header[1:].hex())
        wrapped = box[_HEADER_BYTES : _HEADER_BYTES + _WRAPPED_BYTES]
        try:
            return key.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], header + place.bound)
        except InvalidTag as exc:
            raise SecretDamagedError(place) from exc


def load_or_create_box(home: Path, configured: Secret | None) -> SecretBox:
    """The box of this installation: with the configured keys, else those of `HOME/secret.key` (one per line).

    Raises:
        HomeUnusableError: the file cannot be read or written.
        SecretKeyInvalidError: a key is not 32 bytes in base64.
    """
    if configured is not None:
        given = configured.reveal()  # to be decoded
        return SecretBox(decode_keys(given, "HOOKLINE_SECRET_KEY"))
    path = home / KEY_FILE
    lines = load_or_create(path, fresh_key() + "\n").split()
    return SecretBox(decode_keys(",".join(lines), str(path)))


def fresh_key() -> str:
    """A new key as it is written in the file of keys."""
    return base64.b64encode(os.urandom(_KEY_BYTES)).decode()


def decode_keys(text: str, origin: str) -> tuple[bytes, ...]:
    """The keys of a text that separates them by commas.

    Raises:
        SecretKeyInvalidError: a key is not 32 bytes in base64, or there is none.
    """
    return tuple(_decode(each, origin) for each in text.split(","))


def _decode(text: str, origin: str) -> bytes:
    try:
        key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise SecretKeyInvalidError(origin) from exc
    if len(key) != _KEY_BYTES:
        raise SecretKeyInvalidError(origin)
    return key


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"hookline key id\x00" + key).digest()[:_KEY_ID_BYTES]
