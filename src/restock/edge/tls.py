"""Who a process is to others: certificates from a folder, read again when they change, so that a renewal needs no restart.

The folder holds `ca.crt`, `tls.crt` and `tls.key`, as Kubernetes mounts a secret and as `restock setup certificates` writes
them. Services know one another by certificates of that authority, on both sides; people's REST is served with the same one.
"""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path
from typing import NamedTuple

from restock.core.errors import InvalidInput

FILES = AUTHORITY, CERTIFICATE, KEY = "ca.crt", "tls.crt", "tls.key"

Stamp = tuple[tuple[int, int, int], ...]
"""What tells whether files are still the same: inode, time and size of each."""


class Pems(NamedTuple):
    """The three texts that were in the folder at one moment."""

    authority: bytes
    certificate: bytes
    key: bytes


class Identity:
    """The certificates of a process."""

    def __init__(self, folder: Path) -> None:
        """Raises InvalidInput that names the file when they cannot be used."""
        self._folder = folder
        self._stamp: Stamp = ()
        self._shown: Pems | None = None
        self._pems = self._read()

    @property
    def pems(self) -> Pems:
        """What is in the folder now; what was there before while it is being changed and does not fit together."""
        with contextlib.suppress(InvalidInput):
            if self._stamp != self._stamped():
                self._pems = self._read()
        return self._pems

    def for_rest(self) -> ssl.SSLContext:
        """Give what a server of REST shows: the certificate; whoever calls shows none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.renew(context)
        return context

    def renew(self, context: ssl.SSLContext) -> None:
        """Let connections to come see the certificate that is in the folder now, if it is another one."""
        pems = self.pems
        if pems is not self._shown:
            with contextlib.suppress(ssl.SSLError, OSError):  # it is being changed this moment: the next time will do
                context.load_cert_chain(self._folder / CERTIFICATE, self._folder / KEY)
                self._shown = pems

    def _read(self) -> Pems:
        """Read the three files and see that they fit together. Raises InvalidInput that names one."""
        stamp = self._stamped()
        try:
            pems = Pems(*((self._folder / name).read_bytes() for name in FILES))
        except OSError as error:
            raise _unusable(Path(str(error.filename)), error.strerror or "it cannot be read") from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_verify_locations(cadata=pems.authority.decode())
        except (ssl.SSLError, ValueError):
            raise _unusable(self._folder / AUTHORITY, "it holds no certificate") from None
        try:
            context.load_cert_chain(self._folder / CERTIFICATE, self._folder / KEY)
        except (ssl.SSLError, OSError):
            raise _unusable(self._folder / KEY, f"it is not the key of {CERTIFICATE}") from None
        self._stamp = stamp
        return pems

    def _stamped(self) -> Stamp:
        try:
            found = [(self._folder / name).stat() for name in FILES]
        except OSError as error:
            raise _unusable(Path(str(error.filename)), error.strerror or "it cannot be read") from None
        return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in found)


def identity_of(folder: str) -> Identity | None:
    """Give who the process is by its setting; None without one. Raises InvalidInput that names the file."""
    return Identity(Path(folder)) if folder else None


def _unusable(path: Path, why: str) -> InvalidInput:
    return InvalidInput(
        f"{path} cannot be used: {why}.", field="tls", remedy="Make certificates with `restock setup certificates`."
    )
