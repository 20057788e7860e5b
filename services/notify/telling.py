"""Matching news with askers: one letter for each asker whom a piece of news concerns, whichever of the two comes first.

In a batch of events everything they tell is gathered and matched at its end, with a handful of statements. The result
is the same as event by event: an asker is told what concerns them, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from services.notify import domain, repository
from services.notify.domain import State
from shared.ledger.unit_of_work import UnitOfWork

#: Under which name it is put off.
_TELLING = "telling"
Values = Mapping[str, Any]


class Telling:
    """What events have told, until it is matched and stored."""

    def __init__(self) -> None:
        self._matters: dict[str, dict[str, Any]] = {}
        self._addressees: list[Values] = []
        self._news: list[Values] = []

    def note_matter(self, matter_id: str, **values: Any) -> None:
        """Keep what an event tells of a matter."""
        self._matters.setdefault(matter_id, {}).update(values)

    def add_addressee(self, **values: Any) -> None:
        """Whom to tell about a demand, from now on and everything that came before."""
        self._addressees.append(values)

    def add_news(self, **values: Any) -> None:
        """A piece of news; for one asker only when `demand_id` is set."""
        self._news.append(values)

    def flush(self, work: UnitOfWork) -> None:
        """Store what was told, and a message for every asker and piece of news that have found each other."""
        matters, self._matters = self._matters, {}
        addressees, self._addressees = self._addressees, []
        news, self._news = self._news, []
        newly_asking, newly_told = ({row["matter_id"] for row in rows} for rows in (addressees, news))
        if not matters and not newly_asking and not newly_told:
            return
        repository.hold(work.db, matters.keys() | newly_asking | newly_told)
        repository.note_matters(work.db, matters)
        repository.add_addressees(work.db, addressees)
        repository.add_news(work.db, news)
        earlier = repository.news_of(work.db, newly_asking)
        known = repository.addressees_of(work.db, newly_told)
        pairs = [*_pairs(addressees, earlier), *_pairs(known, news)]
        repository.add_messages(work.db, _messages(pairs, work))


def telling(work: UnitOfWork, tell: Callable[[Telling], None]) -> None:
    """Have something told: at the end of the batch, or at once when there is none."""
    if work.put_off is None:
        alone = Telling()
        tell(alone)
        alone.flush(work)
    else:
        tell(cast("Telling", work.put_off.setdefault(_TELLING, Telling())))


def _pairs(addressees: Iterable[Values], news: Iterable[Values]) -> Iterable[tuple[Values, Values]]:
    of_matter: dict[str, list[Values]] = {}
    for item in news:
        of_matter.setdefault(item["matter_id"], []).append(item)
    for addressee in addressees:
        for item in of_matter.get(addressee["matter_id"], ()):
            if item["demand_id"] in (None, addressee["demand_id"]) and _concerns(item, addressee):
                yield addressee, item


def _concerns(item: Values, addressee: Values) -> bool:
    if addressee["withdrawn_at"] is not None:
        return False
    return item["demand_id"] is not None or domain.concerns(
        news_at=item["at"], registered_at=addressee["registered_at"], joined=addressee["joined"]
    )


def _messages(pairs: Iterable[tuple[Values, Values]], work: UnitOfWork) -> list[Values]:
    made = {}
    for addressee, item in pairs:
        key = (addressee["demand_id"], item["event_id"], item["template"])
        if key in made:
            continue
        reachable = addressee["reachable"]
        made[key] = {
            "id": work.new_id(), "demand_id": addressee["demand_id"], "matter_id": addressee["matter_id"],
            "event_id": item["event_id"], "template": item["template"],
            "state": State.PENDING if reachable else State.SKIPPED, "created_at": work.now,
            "next_attempt_at": work.now if reachable else None, "finished_at": None if reachable else work.now,
            "reason": None if reachable else domain.Result.NO_ADDRESS,
        }  # fmt: skip
    return list(made.values())
