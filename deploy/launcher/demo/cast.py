"""Who acts in the demo: the people whom the pack makes responsible for a unit, each with their own roles and scope."""

from __future__ import annotations

from collections.abc import Iterable

from shared.jurisdiction import Jurisdiction, Person
from shared.kernel.actor import ANONYMOUS, ROLE_PERMISSIONS, Actor


class NobodyThere(Exception):
    """The pack has nobody for a part in the demo. Give the unit a person with the role named."""


class Cast:
    """The people of a pack, by what they may do."""

    def __init__(self, jurisdiction: Jurisdiction) -> None:
        self._pack = jurisdiction
        self._by_unit: dict[str, list[Person]] = {}
        for person in jurisdiction.staff.values():
            self._by_unit.setdefault(person.unit, []).append(person)

    def handler(self, unit: str) -> Actor:
        """Who handles a unit's matters. Raises NobodyThere."""
        people = self._pack.responsible(unit)
        if not people:
            raise NobodyThere(f"nobody is responsible for {unit}")
        return actor(people[0])

    def verifier(self, unit: str, handled_by: str) -> Actor:
        """Somebody else who may verify: of the unit above first, then of the unit itself. Raises NobodyThere."""
        ladder = [one.id for one in self._pack.ladder(unit)]
        for place in (*ladder[1:], ladder[0]):
            found = self._who("verify-matter", self._by_unit.get(place, ()), besides=handled_by)
            if found is not None:
                return found
        raise NobodyThere(f"nobody but {handled_by} may verify matters of {unit}")

    def host(self, unit: str) -> Actor:
        """Who hosts a topic about a matter of the unit: the lowest unit on its ladder that has a host."""
        for one in self._pack.ladder(unit):
            for person in self._by_unit.get(one.id, ()):
                if "deliberation-host" in person.roles:
                    return actor(person)
        raise NobodyThere(f"no deliberation host for {unit}")

    def officer(self, department: str) -> Actor:
        """Who answers for a department."""
        found = self._who("answer-whistle", self._by_unit.get(department, ()))
        if found is None:
            raise NobodyThere(f"{department} has no officer")
        return found

    def voters(self, unit: str) -> list[Actor]:
        """Who votes on a topic about a matter of the unit: everybody of its grid and community who may."""
        ladder = [one.id for one in self._pack.ladder(unit) if one.level in self._pack.levels[:2]]
        people = [person for place in ladder for person in self._by_unit.get(place, ())]
        return [actor(person) for person in people if _may(person, "cast-vote")]

    def desk(self, level: str) -> Actor:
        """The first person responsible on a level."""
        for unit in self._pack.units.values():
            if unit.level == level and self._pack.responsible(unit.id):
                return self.handler(unit.id)
        raise NobodyThere(f"nobody is responsible on the level {level}")

    def supervisor(self, level: str) -> Actor:
        """The supervisor of a level."""
        for person in self._pack.staff.values():
            if "supervisor" in person.roles and self._pack.unit(person.unit).level == level:
                return actor(person)
        raise NobodyThere(f"no supervisor on the level {level}")

    def registrar(self, channel: str, unit: str | None) -> Actor:
        """Who types a demand in: the street's desk for calls, the grid's worker on patrol, residents themselves."""
        if channel in {"web", "wechat", "micro-wish"}:
            return Actor(id="resident-portal", roles=frozenset({"citizen"}))
        if channel == "patrol" and unit is not None:
            found = self._who("register-demand", reversed(self._by_unit.get(unit, [])))
            if found is not None:
                return found
        return self.desk("street")

    @staticmethod
    def _who(permission: str, people: Iterable[Person], *, besides: str = "") -> Actor | None:
        return next((actor(one) for one in people if one.id != besides and _may(one, permission)), None)


def actor(person: Person) -> Actor:
    """A person of the pack, acting."""
    return Actor(id=person.id, roles=frozenset(person.roles), unit=person.unit)


def asker(demand: str) -> Actor:
    """The asker of a demand, on the platform."""
    return Actor(id=f"asker:{demand}", roles=frozenset({"citizen"}))


#: Whoever holds a link and no account.
LINK_HOLDER = ANONYMOUS


def _may(person: Person, permission: str) -> bool:
    return any(permission in ROLE_PERMISSIONS.get(role, frozenset()) for role in person.roles)
