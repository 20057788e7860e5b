"""The judge: compares what was accepted with what happened, and every service's books with the trace.

It believes the book (what the producer was answered) and the rules of the contracts, never one database because another
says the same. It must never excuse anything: what is not explained by a planted fault is a finding.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from sqlalchemy import func, select

from services.dispatch.tables import matters as dispatch_matters
from services.notify.domain import State
from services.notify.tables import messages
from services.oversight.repository import trace
from services.oversight.tables import matters as oversight_matters
from shared.contracts.topology import SERVICES
from shared.ledger.engines import reading
from tests.chaos import due, rebuilt
from tests.chaos.book import ACCEPTED, CAUSES, REFUSED, UNANSWERED
from tests.chaos.evidence import counted, gather, heard_by, owner_of

#: States of a matter that is being handled: dispatch's, and oversight's.
_OPEN = frozenset({"unlocated", "assigned", "in-progress", "suspended"})
_OPEN_SEEN = frozenset({"registered", "classified", "assigned", "accepted", "reopened"})
#: Ids shown of one kind of finding.
_SHOWN = 5
#: Events that nothing but a person's command causes: each must be in the book. (Others the suite emits by itself too:
#: climbs, resumptions, counts of ballots whose time is over.)
_BY_COMMAND_ALONE = frozenset(
    {name for names in CAUSES.values() for each in names for name in each.split("|")}
    - {
        "dispatch.matter-escalated", "dispatch.matter-resumed", "dispatch.matter-reopened",
        "deliberation.ballot-closed", "deliberation.resolution-rejected", "dispatch.matter-classified",
        "dispatch.matter-assigned",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not as it must be."""

    #: lost | twice | out-of-order | invented | changed | unpublished | parked | quarantined | failed | projection |
    #: trace | stalled | unanswered | dead-letter | complaint
    kind: str
    service: str
    what: str
    ids: tuple[str, ...] = ()

    def __str__(self):
        more = f" … and {len(self.ids) - _SHOWN} more" if len(self.ids) > _SHOWN else ""
        return f"{self.kind:<13} {self.service:<13} {self.what}: {', '.join(self.ids[:_SHOWN])}{more}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the judge found, and figures for people."""

    findings: tuple[Finding, ...]
    figures: dict[str, int]

    @property
    def ok(self):
        """Whether nothing was found."""
        return not self.findings

    def __str__(self):
        figures = ", ".join(f"{name} {number}" for name, number in self.figures.items())
        if self.ok:
            return f"0 lost, 0 twice, 0 out of order ({figures})"
        return "\n".join([f"{len(self.findings)} FINDINGS ({figures})", *map(str, self.findings)])


def judge(world, book, planted=(), complaints=()):
    """Look at everything; the suite must be at rest. `planted`: (service, message id, reason) of planted poison."""
    evidence = gather(world)
    planted_ids = {message_id for _, message_id, _ in planted}
    findings = [
        *_streams(evidence),
        *_outboxes(evidence),
        *_book(evidence, book),
        *_consumers(evidence, planted_ids),
        *_effects(world, evidence, book),
        *due.findings(world, evidence, _found),
        *rebuilt.differences(world, Finding),
        *(Finding(kind="complaint", service="-", what=what) for what in complaints),
    ]
    dead = world.dead_letters()
    if dead:
        findings.append(Finding(kind="dead-letter", service="-", what=f"{dead} message(s) in the dead-letter queue"))
    with reading(world.engines["oversight"]) as db:
        valid = trace.verify(db)
    if not valid.ok:
        findings.append(Finding(kind="trace", service="oversight", what=f"position {valid.first_bad}: {valid.why}"))
    results = Counter(entry.result for entry in book.entries)
    told, unknown = evidence.of_the_next_release
    figures = {
        "commands accepted": results[ACCEPTED],
        "refused": results[REFUSED],
        "sent again": sum(entry.tries - 1 for entry in book.entries),
        **{f"answered {status}": number for status, number in sorted(book.troubles.items())},
        "events": len(evidence.trace),
        "matters": len(evidence.named("intake.matter-opened")),
        "closed": len(evidence.named("dispatch.matter-closed")),
        "planted": len(planted_ids),
        "told by the next release": told,
        "of unknown types": unknown,
    }
    return Verdict(findings=tuple(findings), figures=figures)


def _found(kind, service, what, ids):
    ids = tuple(str(one) for one in ids)
    return [Finding(kind=kind, service=service, what=what, ids=ids)] if ids else []


# -- the trace against itself and against the outboxes -----------------------------------------------------------------


def _streams(evidence):
    """Every stream 1, 2, 3 … in the trace's own order; every message id once."""
    versions = defaultdict(list)
    for seen in evidence.trace:
        versions[seen.stream].append(seen.version)
    for service in SERVICES:
        mine = {stream: found for stream, found in versions.items() if owner_of(stream) == service}
        yield from _found("twice", service, "stream versions twice in the trace", [s for s in mine if counted(mine[s])])
        yield from _found(
            "out-of-order", service, "streams not in order in the trace",
            [stream for stream, found in mine.items() if sorted(found) != found],
        )  # fmt: skip
        heads = evidence.books[service].heads
        short = [s for s in {*heads, *mine} if set(mine.get(s, ())) != set(range(1, heads.get(s, 0) + 1))]
        yield from _found("lost", service, "streams with a hole, or shorter or longer than their head", short)
    yield from _found("twice", "oversight", "message ids twice in the trace", counted(s.id for s in evidence.trace))


def _outboxes(evidence):
    """Every row in the trace byte for byte, and nothing in the trace that no outbox has."""
    traced = {seen.id: seen.digest for seen in evidence.trace}
    known = set()
    for service, books in evidence.books.items():
        known |= set(books.outbox)
        yield from _found("lost", service, "outbox rows that never reached the trace", set(books.outbox) - set(traced))
        changed = [id_ for id_, digest in books.outbox.items() if id_ in traced and traced[id_] != digest]
        yield from _found("changed", service, "events whose bytes changed on their way", changed)
        yield from _found("unpublished", service, "outbox rows not marked published", books.unpublished)
    yield from _found("invented", "oversight", "events in the trace that no outbox has", set(traced) - known)


# -- the book ----------------------------------------------------------------------------------------------------------


def _book(evidence, book):
    """What was accepted happened once; what was refused did not happen; nothing happened that nobody asked for."""
    bad = defaultdict(list)
    for entry in book.entries:
        events = evidence.firsthand.get(entry.key, [])
        service = entry.command.split(".", 1)[0]
        complaints = _refused(events) if entry.result == REFUSED else _carried_out(entry, events)
        for kind, what in complaints:
            bad[kind, service, what].append(f"{entry.command} {entry.key}")
    asked = {entry.key for entry in book.entries}
    for correlation, events in evidence.firsthand.items():
        for seen in events:
            if correlation not in asked and seen.name in _BY_COMMAND_ALONE:
                bad["invented", owner_of(seen.stream), "events of commands that nobody sent"].append(seen.id)
    for (kind, service, what), ids in bad.items():
        yield Finding(kind=kind, service=service, what=what, ids=tuple(ids))
    yield from _found("stalled", "-", "lives that waited in vain", book.stalled)


def _refused(events):
    if events:
        yield "invented", "refused commands that had effects"


def _carried_out(entry, events):
    names = Counter(seen.name for seen in events)
    numbers = {wanted: sum(names[name] for name in wanted.split("|")) for wanted in CAUSES[entry.command]}
    if entry.result == UNANSWERED:
        yield "unanswered", f"commands nobody answered ({entry.code[:80]})"
    else:
        yield from (("lost", f"accepted commands without {wanted}") for wanted, number in numbers.items() if not number)
    if any(number > 1 for number in numbers.values()):
        yield "twice", "commands carried out more than once"
    about = entry.about()
    if any(str(seen.ids[key]) != value for seen in events for key, value in about.items() if key in seen.ids):
        yield "changed", "events about something else than the answer named"


# -- consumers ---------------------------------------------------------------------------------------------------------


def _consumers(evidence, planted):
    """Every consumer has handled exactly what it hears, to the head of every stream, and holds nothing back."""
    heads = {stream: version for books in evidence.books.values() for stream, version in books.heads.items()}
    for service, books in evidence.books.items():
        hears = heard_by(service)
        due = {seen.id for seen in evidence.trace if hears(seen.stream)}
        yield from _found("lost", service, "events heard but never handled", due - books.inbox - planted)
        yield from _found("invented", service, "handled, but in no trace", books.inbox - due - planted)
        behind = [s for s, head in heads.items() if hears(s) and books.positions.get(s, 0) != head]
        yield from _found("lost", service, "streams not applied to their head", behind)
        yield from _found("parked", service, "events still parked", books.parked)
        strange = [f"{id_} ({reason})" for id_, reason, _ in books.quarantine if id_ not in planted]
        yield from _found("quarantined", service, "messages set aside that nobody planted", strange)
        failed = [f"{id_} ({error[:200]})" for id_, error in books.failures.items() if id_ not in planted]
        yield from _found("failed", service, "handlers that failed without a planted bug", failed)


# -- effects -----------------------------------------------------------------------------------------------------------


def _effects(world, evidence, book):
    """What must have happened exactly once in the domain."""
    opened = [seen.ids["matter_id"] for seen in evidence.named("intake.matter-opened")]
    with reading(world.engines["dispatch"]) as db:
        states = {row.id: row.state for row in db.execute(select(dispatch_matters.c.id, dispatch_matters.c.state))}
    yield from _found("lost", "dispatch", "opened matters that it does not have", set(opened) - set(states))
    yield from _found("invented", "dispatch", "matters that were never opened", set(states) - set(opened))
    yield from _found("twice", "intake", "matters opened twice", counted(opened))
    yield from _once_each(evidence)
    yield from _evaluations(evidence)
    yield from _votes(evidence, book)
    yield from _messages(world, evidence)
    with reading(world.engines["oversight"]) as db:
        rows = db.execute(select(oversight_matters.c.matter_id, oversight_matters.c.state))
        seen = {row.matter_id: row.state for row in rows}
    differ = [f"{id_} {states[id_]}/{seen.get(id_)}" for id_ in states if seen.get(id_) not in _seen_as(states[id_])]
    yield from _found("projection", "oversight", "matters in another state than dispatch has them", differ)


def _seen_as(state):
    """What oversight may call a state of dispatch's: it tells apart what happened last, not who has to act now."""
    return _OPEN_SEEN if state in _OPEN else {state}


def _once_each(evidence):
    """Effects of one event that must be there once."""
    for cause, effect in (("intake.matter-opened", "dispatch.matter-classified"),):
        service = effect.split(".", 1)[0]
        effects = Counter(seen.cause for seen in evidence.named(effect) if seen.cause)
        causes = {seen.id for seen in evidence.named(cause)}
        yield from _found("lost", service, f"{cause} without {effect}", causes - set(effects))
        yield from _found("twice", service, f"{effect} twice for one {cause}", [c for c in causes if effects[c] > 1])


def _evaluations(evidence):
    """One question for each asker of each attempt that was closed; those who withdrew may have been asked or not."""
    asked = Counter(
        (seen.ids["demand_id"], seen.ids["attempt"]) for seen in evidence.named("oversight.evaluation-requested")
    )
    yield from _found(
        "twice", "oversight", "askers asked twice about one attempt", [k for k, n in asked.items() if n > 1]
    )
    withdrawn = {seen.ids["demand_id"] for seen in evidence.named("intake.demand-withdrawn")}
    askers = defaultdict(set)
    for seen in evidence.named("intake.demand-registered"):
        askers[seen.ids["matter_id"]].add(seen.ids["demand_id"])
    missing = [
        (demand, closed.ids["attempt"])
        for closed in evidence.named("dispatch.matter-closed")
        for demand in askers[closed.ids["matter_id"]] - withdrawn
        if not asked[demand, closed.ids["attempt"]]
    ]
    yield from _found("lost", "oversight", "askers of a closed matter who were never asked", missing)


def _votes(evidence, book):
    """A closed ballot counts each accepted vote once."""
    cast = Counter(entry.content["ballot"] for entry in book.accepted("deliberation.cast-vote"))
    for closed in evidence.named("deliberation.ballot-closed"):
        ballot = closed.ids["ballot_id"]
        counted_ = closed.ids["yes"] + closed.ids["no"] + closed.ids["abstain"]
        if counted_ != cast[ballot]:
            what = f"{cast[ballot]} votes accepted, {counted_} counted"
            yield Finding(
                kind="lost" if counted_ < cast[ballot] else "twice", service="deliberation", what=what, ids=(ballot,)
            )


def _messages(world, evidence):
    """One event for each message delivered or failed; nothing left claimed or waiting that is due."""
    for state, name in ((State.DELIVERED, "notify.message-delivered"), (State.FAILED, "notify.message-failed")):
        told = Counter(seen.ids["message_id"] for seen in evidence.named(name))
        with reading(world.engines["notify"]) as db:
            stored = set(db.execute(select(messages.c.id).where(messages.c.state == state)).scalars())
        yield from _found("twice", "notify", f"{name} twice for one message", [k for k, n in told.items() if n > 1])
        yield from _found("lost", "notify", f"messages {state} without {name}", stored - set(told))
        yield from _found("invented", "notify", f"{name} of a message that is not {state}", set(told) - stored)
    with reading(world.engines["notify"]) as db:
        stuck = db.execute(select(func.count()).where(messages.c.state == State.SENDING)).scalar_one()
    if stuck:
        yield Finding(kind="stalled", service="notify", what=f"{stuck} message(s) claimed and never sent")
