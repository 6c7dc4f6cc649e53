"""What can go wrong, sorted by what the caller can do about it.

::

    RestockError
    ├── InvalidInput      422  exit 2   the request is wrong: change it
    ├── NotFound          404  exit 4   no such thing: check the name
    ├── Conflict          409  exit 5   the thing is in another state: look, then decide
    │   └── Stale         409  exit 5   somebody was faster: read again, then try again
    ├── Refused           403  exit 6   the caller may not
    ├── Unavailable       503  exit 7   a neighbour does not answer: try again later
    │   └── DeadlinePassed 504 exit 7   it did not answer in time
    ├── StorageFull       507  exit 8   free disk space: nothing acknowledged was lost
    └── StorageUnusable   500  exit 9   newer, damaged or unreadable store: the message says which

Every error says what happened, to which thing, and what to do. The message is for people; `code`, `field` and
`position` are for machines.
"""

from __future__ import annotations

from typing import ClassVar


class RestockError(Exception):
    """Base of every error that Restock raises on purpose.

    `what` says what happened to which thing, `remedy` what to do, `field` names the wrong field or line.
    """

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"

    def __init__(self, what: str, *, remedy: str = "", field: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.field = field

    def __str__(self) -> str:
        place = f"{self.field}: " if self.field else ""
        return f"{place}{self.what}" + (f" {self.remedy}" if self.remedy else "")

    def problem(self) -> dict[str, object]:
        """Give the members of an RFC 9457 problem document that this error knows."""
        members: dict[str, object] = {
            "type": f"urn:restock:error:{self.code}",
            "title": self.code.replace("-", " "),
            "status": self.status,
            "detail": self.what,
        }
        if self.field:
            members["field"] = self.field
        if self.remedy:
            members["remedy"] = self.remedy
        return members


class InvalidInput(RestockError):
    """The request or file is wrong; the same input will always be refused."""

    status, exit_code, code = 422, 2, "invalid-input"


class NotFound(RestockError):
    """The named thing does not exist."""

    status, exit_code, code = 404, 4, "not-found"


class Conflict(RestockError):
    """The thing exists but is in a state that does not allow this."""

    status, exit_code, code = 409, 5, "conflict"


class Stale(Conflict):
    """The caller decided on an older version than the stored one."""

    code = "stale"


class Refused(RestockError):
    """The caller may not do this."""

    status, exit_code, code = 403, 6, "refused"


class Unavailable(RestockError):
    """A neighbour or a limit is in the way for now; the same call may succeed later."""

    status, exit_code, code = 503, 7, "unavailable"


class DeadlinePassed(Unavailable):
    """No answer came within the time allowed."""

    status, code = 504, "deadline-passed"


class StorageFull(RestockError):
    """The disk is full: the write was refused whole, reads still work."""

    status, exit_code, code = 507, 8, "storage-full"


class StorageUnusable(RestockError):
    """A store is newer than this program, damaged, or cannot be opened."""

    status, exit_code, code = 500, 9, "storage-unusable"
