"""Who lives: what a group must know of its members, and how they are shared out.

A member that is killed must be replaced at once, one that hangs after a while, and nobody may be fooled by a clock that was
set. The adapter knows how (`restock.adapters.database.presence`); here is what is asked of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol


class Sign(Protocol):
    """A member's sign of life, as long as it is held."""

    @property
    def member(self) -> str:
        """The identifier of the member."""
        ...

    def beat(self) -> None:
        """Say that the member lives; cheap enough for every poll."""
        ...

    def end(self) -> None:
        """The member lives no more."""
        ...


class Presence(Protocol):
    """Gives signs of life and sees those of others, of all processes that use the log."""

    def begin(self) -> Sign:
        """Give a new member's sign."""
        ...

    def lives(self, member: str) -> bool:
        """Tell whether a member has not ended and was not silent for too long."""
        ...


def shared_out(partitions: Iterable[int], members: Iterable[str], owners: Mapping[int, str]) -> dict[int, str]:
    """Give each partition of a topic its owner: as evenly as can be, with as few changes as that allows."""
    held = dict.fromkeys(sorted(members), 0)
    if not held:
        return {}
    places = sorted(partitions)
    share, spare = divmod(len(places), len(held))
    target: dict[int, str] = {}
    for place in places:
        owner = owners.get(place, "")
        if owner not in held or held[owner] > share or (held[owner] == share and not spare):
            continue
        spare -= held[owner] == share
        held[owner] += 1
        target[place] = owner
    for place in places:
        if place not in target:
            least = min(held, key=lambda member: (held[member], member))
            held[least] += 1
            target[place] = least
    return target
