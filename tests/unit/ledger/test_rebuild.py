"""Rebuilds: read tables that were damaged become what the events make of them; what is right stays as it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from deploy.launcher.installation import pack_folder
from deploy.launcher.suite import Suite
from services.deliberation import tables as deliberation
from services.intake import tables as intake
from services.notify import tables as notify
from services.oversight import tables as oversight
from services.oversight.repository.history import TraceDamaged, TraceHistory
from shared import jurisdiction as packs
from shared.contracts import envelope as envelopes
from shared.contracts import registry
from shared.ledger import interventions, tables
from shared.ledger.engines import reading, writing
from shared.ledger.interventions import DONE, RUNNING
from shared.ledger.rebuild import Databases, Rebuild
from tests.unit.recovery.test_recovery import Copies

START = datetime(2025, 9, 8, 1, tzinfo=UTC)
MODELS = ("oversight", "notify", "deliberation", "intake")
HEAD, WORKER = "grid-head-yongan-nanli-6", "grid-worker-yongan-nanli-6"


@pytest.fixture(scope="module")
def pack():
    return packs.load(pack_folder("jianwai"))


@pytest.fixture(scope="module")
def lived(pack):
    """A suite in which matters have gone on for hours, who hears whom in it, its databases, and the present."""
    made = Suite.in_memory(pack, START)
    made.databases = Databases(
        history=TraceHistory(), engines={name: each.at_hand.engine for name, each in made.applications.items()}
    )
    lives(made, 6)
    yield made, dict(made.applications), Copies(made), made.clock.now()
    made.close()


@pytest.fixture
def suite(lived):
    """The suite as it was after those hours, whatever another test has made of it."""
    made, applications, copies, present = lived
    made.applications.update(applications)
    copies.put_back(made)
    made.clock.set(present)
    made.settle()
    return made


def lives(suite, number, first=0):
    """Matters at every stage: left alone, accepted, resolved, closed and judged, withdrawn, joined."""
    made = []
    for each in range(first, first + number):
        asked = {
            "channel": "hotline", "text": f"楼道灯不亮之{each}", "location": {"grid": "yongan-nanli-6"},
            "asker": {"kind": "resident", "name": "王女士", "phone": "13800000000"},
        }  # fmt: skip
        reply = suite.execute("intake.register-demand", asked, "street-clerk-jianwai").body
        matter = reply["matter_id"]
        made.append(matter)
        if each % 6 == 5:
            suite.execute("intake.register-demand", asked, "street-clerk-jianwai")
            continue
        if each % 6 == 4:
            suite.execute("intake.withdraw-demand", {"tracking_code": reply["tracking_code"], "reason": "好了"}, HEAD)
            continue
        for step in range(each % 6):
            do_step(suite, matter, step)
    suite.advance(by=timedelta(hours=5))
    return made


def do_step(suite, matter, step):
    steps = (
        [("accept", WORKER, {})],
        [("resolve", WORKER, {"outcome": "灯修好了", "evidence": [{"kind": "photo", "description": "修好后"}]})],
        [("verify", HEAD, {"passed": True}), ("close", HEAD, {})],
    )
    for name, who, content in steps[step]:
        suite.execute(f"dispatch.{name}", {"matter": matter, **content}, who)


def engine(suite, service):
    return suite.applications[service].at_hand.engine


def rows(suite, service, table):
    with reading(engine(suite, service)) as db:
        return [dict(row) for row in db.execute(select(table).order_by(*table.primary_key.columns)).mappings()]


def view(suite, service):
    """All that the service's read model is about."""
    model = suite.applications[service].definition.read_model
    return {each.table.name: rows(suite, service, each.table) for each in model.tables}


def rebuild(suite, service, *, mend=True, matter=None, job=None):
    application = suite.applications[service]
    if mend and job is None:
        job = interventions.begin(application.at_hand, "rebuild", by="operator:t", why="演练", scope={"matter": matter})
    model = application.definition.read_model
    return Rebuild(application.at_hand, model, suite.databases, job=job, mend=mend).run(matter=matter)


def change(suite, service, statement, parameters=()):
    with writing(engine(suite, service)) as db:
        done = db.exec_driver_sql(statement, parameters).rowcount
        db.commit()
    assert done
    return done


@pytest.mark.parametrize("service", MODELS)
def test_what_is_right_is_found_right_and_not_touched(suite, service):
    before = view(suite, service)
    assert all(before.values()) or service == "oversight"
    found = rebuild(suite, service, mend=False)
    assert (found.wrong, found.events > 0, found.matters >= 6) == (0, True, True), found
    found = rebuild(suite, service)
    assert (found.wrong, +found.put_back, +found.mended, +found.removed) == (0, {}, {}, {})
    assert view(suite, service) == before
    with reading(engine(suite, service)) as db:
        (row,) = interventions.listed(db)
    assert (row.kind, row.by, row.why, row.detail["state"]) == ("rebuild", "operator:t", "演练", DONE)


@pytest.mark.parametrize("service", MODELS)
def test_the_trace_may_hold_what_followed_before_what_it_followed_from(suite, service):
    """Queues are read side by side: dispatch's answer may be in the trace before intake's question."""
    oversight_app = suite.applications["oversight"]
    with writing(engine(suite, "oversight")) as db:
        kept = db.execute(select(oversight.trace.c.envelope).order_by(oversight.trace.c.position)).scalars()
        raws = [bytes(raw) for raw in kept]
        for table in (oversight.trace, oversight.trace_head, tables.inbox, tables.stream_positions):
            db.execute(table.delete())
        db.commit()
    oversight_app.receive_many(sorted(raws, key=lambda raw: envelopes.from_bytes(raw).stream))
    found = rebuild(suite, service, mend=False)
    assert (found.wrong, found.matters >= 6) == (0, True)


@pytest.mark.parametrize("service", ["oversight", "deliberation"])
def test_emptied_tables_are_filled_again(suite, service):
    before = view(suite, service)
    model = suite.applications[service].definition.read_model
    with writing(engine(suite, service)) as db:
        for each in model.tables:
            db.execute(each.table.delete())
        db.commit()
    found = rebuild(suite, service)
    assert view(suite, service) == before
    assert sum(found.put_back.values()) == sum(map(len, before.values()))
    assert rebuild(suite, service, mend=False).wrong == 0


def test_notify_gets_back_what_it_knew_and_writes_no_letter_again(suite):
    before = view(suite, "notify")
    acts = [rows(suite, "notify", each) for each in (notify.messages, notify.attempts, notify.contact_access)]
    assert all(acts)
    plain = engine(suite, "notify").raw_connection().driver_connection
    plain.execute("PRAGMA foreign_keys = OFF")
    for table in ("addressees", "matters", "news"):
        assert plain.execute(f"DELETE FROM {table}").rowcount
    plain.execute("PRAGMA foreign_keys = ON")
    found = rebuild(suite, "notify")
    assert view(suite, "notify") == before
    assert set(found.put_back) == {"addressees", "matters", "news"}
    suite.advance(by=timedelta(days=1))
    for table, kept in zip((notify.messages, notify.attempts, notify.contact_access), acts, strict=True):
        assert rows(suite, "notify", table)[: len(kept)] == kept


@pytest.mark.parametrize(
    ("service", "statement", "table", "field"),
    [
        ("oversight", "UPDATE matters SET state = 'x', outcome = NULL", "matters", "mended"),
        ("oversight", "DELETE FROM milestones", "milestones", "put_back"),
        ("oversight", "UPDATE clocks SET due_at = started_at", "clocks", "mended"),
        ("oversight", "DELETE FROM evaluations", "evaluations", "put_back"),
        ("oversight", "INSERT INTO attempts (matter_id, attempt) SELECT matter_id, 9 FROM matters", "attempts",
         "removed"),
        ("oversight", "INSERT INTO attempts (matter_id, attempt) VALUES ('no-such-matter', 1)", "attempts", "removed"),
        ("notify", "UPDATE matters SET handled_by = 'nobody', due_at = NULL", "matters", "mended"),
        ("notify", "UPDATE addressees SET sealed = 'x', withdrawn_at = NULL", "addressees", "mended"),
        ("notify", "UPDATE news SET unit = 'x'", "news", "mended"),
        ("notify", "INSERT INTO news (event_id, template, matter_id, at) SELECT id, 't', id, '2025-09-08' FROM matters",
         "news", "removed"),
        ("deliberation", "UPDATE matters SET state = 'open', title = ''", "matters", "mended"),
        ("deliberation", "DELETE FROM matters WHERE id = (SELECT min(id) FROM matters)", "matters", "put_back"),
        ("intake", "UPDATE matters SET standing = 'registered', handled_by = NULL, response_class = NULL", "matters",
         "mended"),
        ("intake", "DELETE FROM milestones WHERE position % 2", "milestones", "put_back"),
        ("intake", "UPDATE milestones SET event = 'x' WHERE position = 2", "milestones", "put_back"),
    ],
)  # fmt: skip
def test_damaged_rows_become_what_a_build_from_scratch_would_give(suite, service, statement, table, field):
    before = view(suite, service)
    number = change(suite, service, statement)
    seen = rebuild(suite, service, mend=False)
    assert seen.wrong > 0
    assert view(suite, service) != before
    found = rebuild(suite, service)
    assert (found.wrong, getattr(found, field).keys()) == (seen.wrong, {table})
    if table != "milestones" or service != "intake":
        assert getattr(found, field)[table] <= number
        assert view(suite, service) == before
    # A milestone's number says nothing but the order.
    for kept in (before, after := view(suite, service)):
        for row in kept.get("milestones", []):
            row.pop("position", None)
    order = str if service == "intake" else None
    assert {name: sorted(each, key=order) if order else each for name, each in after.items()} == {
        name: sorted(each, key=order) if order else each for name, each in before.items()
    }
    assert rebuild(suite, service, mend=False).wrong == 0


def test_the_askers_milestones_keep_their_order(suite):
    before = [
        (row["matter_id"], row["event"], row["at"])
        for row in sorted(rows(suite, "intake", intake.milestones), key=lambda row: (row["matter_id"], row["position"]))
    ]
    change(suite, "intake", "DELETE FROM milestones WHERE event LIKE '%assigned'")
    rebuild(suite, "intake")
    after = sorted(rows(suite, "intake", intake.milestones), key=lambda row: (row["matter_id"], row["position"]))
    assert [(row["matter_id"], row["event"], row["at"]) for row in after] == before


def test_one_matter_alone(suite):
    matters = [row["matter_id"] for row in rows(suite, "oversight", oversight.matters)]
    before = view(suite, "oversight")
    change(suite, "oversight", "UPDATE matters SET state = 'x'")
    found = rebuild(suite, "oversight", matter=matters[2])
    assert (found.matters, found.wrong, found.mended["matters"]) == (1, 1, 1)
    states = {row["matter_id"]: row["state"] for row in rows(suite, "oversight", oversight.matters)}
    assert [states[each] == "x" for each in matters] == [each != matters[2] for each in matters]
    rebuild(suite, "oversight")
    assert view(suite, "oversight") == before


def test_rows_that_something_refers_to_stay(suite):
    event = rows(suite, "notify", notify.messages)[0]["event_id"]
    # As after a change of the pack: the news is of a template that is no more.
    change(suite, "notify", "UPDATE messages SET template = 'dropped' WHERE event_id = ?", (event,))
    change(
        suite, "notify",
        "INSERT INTO news (event_id, template, matter_id, at) SELECT event_id, 'dropped', matter_id, at "
        "FROM news WHERE event_id = ?", (event,),
    )  # fmt: skip
    before = view(suite, "notify")
    found = rebuild(suite, "notify")
    assert found.wrong == 0
    assert view(suite, "notify") == before


def test_what_only_commands_make_is_said_to_be_missing(suite):
    change(suite, "intake", "DELETE FROM matters WHERE serial = 1")
    found = rebuild(suite, "intake")
    assert found.missing == {"matters": 1}
    assert len(rows(suite, "intake", intake.matters)) < len(rows(suite, "oversight", oversight.matters))


def test_what_a_service_knows_and_the_trace_does_not_yet_is_kept(suite):
    """Oversight is an hour behind everybody else: nothing of what the others know may be taken for wrong."""
    relay = suite.relay
    oversight_app = relay._applications.pop("oversight")
    lives(suite, 6, first=10)
    before = {service: view(suite, service) for service in ("notify", "deliberation", "intake")}
    for service, kept in before.items():
        assert rebuild(suite, service).wrong == 0, service
        assert view(suite, service) == kept
    # And what is lost of it comes back, though the trace has none of it.
    change(suite, "deliberation", "DELETE FROM matters")
    change(suite, "notify", "UPDATE matters SET due_at = NULL, handled_by = NULL")
    for service in ("notify", "deliberation"):
        assert rebuild(suite, service).wrong >= 10
        assert view(suite, service) == before[service]
    relay._applications["oversight"] = oversight_app


def test_what_oversight_decided_and_has_not_heard_from_itself_yet_is_kept(suite):
    relay = suite.relay
    asked = next(row for row in rows(suite, "oversight", oversight.evaluations) if row["answered_at"] is None)
    kept = relay._applications.pop("oversight")
    from shared.kernel.actor import Actor  # noqa: PLC0415 -- beside the one test

    inspector = Actor(id="s", roles=frozenset({"supervisor"}), unit="jianwai")
    answer = {"evaluation": asked["evaluation_id"], "satisfied": False, "channel": "visit"}
    kept.execute("oversight.evaluate", answer, inspector)
    seen = {"matter": asked["matter_id"], "kind": "cloud", "finding": "亮", "passed": True}
    kept.execute("oversight.record-inspection", seen, inspector)
    relay._applications["oversight"] = kept
    before = view(suite, "oversight")
    assert before["inspections"]
    assert rebuild(suite, "oversight").wrong == 0
    assert view(suite, "oversight") == before
    change(suite, "oversight", "DELETE FROM inspections")
    change(suite, "oversight", "UPDATE evaluations SET satisfied = 1")
    rebuild(suite, "oversight")
    assert view(suite, "oversight") == before


def test_a_service_that_is_behind_is_not_brought_ahead(suite):
    """What notify has yet to hear is none of its view, though the trace has it."""
    relay = suite.relay
    kept = relay._applications.pop("notify")
    before = view_of(kept)
    lives(suite, 6, first=10)
    relay._applications["notify"] = kept
    assert rebuild(suite, "notify").wrong == 0
    assert view(suite, "notify") == before


def view_of(application):
    with reading(application.at_hand.engine) as db:
        return {
            each.table.name: [
                dict(row) for row in db.execute(select(each.table).order_by(*each.table.primary_key.columns)).mappings()
            ]
            for each in application.definition.read_model.tables
        }


def test_a_discarded_message_has_no_effect_in_a_rebuild_either(suite):
    matter = rows(suite, "deliberation", deliberation.matters)[0]["id"]
    with reading(engine(suite, "oversight")) as db:
        message = db.execute(
            select(oversight.trace.c.message_id).where(
                oversight.trace.c.subject == matter,
                oversight.trace.c.type == registry.by_name("intake.matter-opened").type,
            )
        ).scalar_one()
    change(suite, "deliberation", "DELETE FROM matters WHERE id = ?", (matter,))
    application = suite.applications["deliberation"]
    with writing(application.at_hand.engine) as db:
        db.execute(
            tables.interventions.insert().values(
                id="i", kind="discard", by="operator:t", why="毒", at=START, detail={"message": message}
            )
        )
        db.commit()
    rebuild(suite, "deliberation")
    found = {row["id"]: row["number"] for row in rows(suite, "deliberation", deliberation.matters)}
    assert found.get(matter) is None  # no row, or one without what the discarded event told


def test_broken_off_it_goes_on_where_it_stopped(suite, monkeypatch):
    monkeypatch.setattr("shared.ledger.rebuild._COMPARED", 2)
    before = view(suite, "oversight")
    change(suite, "oversight", "UPDATE matters SET state = 'x'")
    application = suite.applications["oversight"]
    job = interventions.begin(application.at_hand, "rebuild", by="operator:t", why="演练", scope={"matter": None})
    done = []

    def dies():
        done.append(1)
        if len(done) == 2:
            raise KeyboardInterrupt

    model = application.definition.read_model
    with pytest.raises(KeyboardInterrupt):
        Rebuild(application.at_hand, model, suite.databases, job=job).run(dies)
    with reading(application.at_hand.engine) as db:
        (row,) = interventions.listed(db)
        wrong = db.execute(select(func.count()).where(oversight.matters.c.state == "x")).scalar_one()
    assert (row.detail["state"], row.detail["wrong"] > 0, wrong > 0) == (RUNNING, True, True)
    job = interventions.resume(application.at_hand, "rebuild", scope={"matter": None})
    found = rebuild(suite, "oversight", job=job)
    assert view(suite, "oversight") == before
    assert found.wrong == len(before["matters"])


def test_bytes_that_the_trace_did_not_store_are_never_taken(suite):
    with writing(engine(suite, "oversight")) as db:
        db.execute(text("UPDATE trace SET envelope = CAST('{}' AS BLOB) WHERE position = 3"))
        db.commit()
    before = view(suite, "notify")
    with pytest.raises(TraceDamaged, match="Row 3"):
        rebuild(suite, "notify")
    assert view(suite, "notify") == before
