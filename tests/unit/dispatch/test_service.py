"""The service as a whole: migrations, metrics, commands and routes that belong together."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.dispatch import metrics
from services.dispatch.definition import DEFINITION
from shared.ledger import migrate
from shared.ledger import tables as ledger_tables
from shared.ledger.engines import open_engine
from shared.ledger.unit_of_work import look_only
from tests.unit.dispatch.conftest import GATE, LIGHT


def test_migrations_make_exactly_the_tables_that_the_code_uses(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'dispatch.db'}")
    assert migrate.migrate(engine, DEFINITION)[:2] == ("dispatch_0001", "dispatch_0002")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, [DEFINITION.tables, ledger_tables.metadata])
    engine.dispose()
    assert [one for one in differences if "alembic_version" not in repr(one)] == []


def test_every_command_has_one_route():
    routed = [route.command for route in DEFINITION.routes if route.command]
    assert sorted(routed) == sorted(DEFINITION.commands)


def test_what_is_counted(desk):
    desk.open(text=GATE)
    desk.open("m-2", LIGHT)
    desk.wait(minutes=20)
    desk.close("m-2")
    with look_only(desk.app.at_hand) as work:
        metrics.refresh(work, desk.app.metrics)
    text = desk.app.metrics.render().decode()
    for line in (
        'gridwhistle_escalations_total{cause="breach",reason="accept",service="dispatch",to_level="community"} 1.0',
        'gridwhistle_sla_clock_starts_total{kind="accept",response_class="immediate",service="dispatch"} 2.0',
        'gridwhistle_sla_clock_stops_total{kind="accept",outcome="breached",service="dispatch"} 1.0',
        'gridwhistle_sla_clock_stops_total{kind="resolve",outcome="met",service="dispatch"} 1.0',
        'gridwhistle_sla_open_clocks{band="ok",service="dispatch",street="jianwai"} 3.0',
        'gridwhistle_sla_open_clocks{band="grossly-overdue",service="dispatch",street="jianwai"} 0.0',
        'gridwhistle_matters_closed_total{level="grid",on_time="true",response_class="same-day",service="dispatch"}',
        'gridwhistle_sla_budget_used_ratio_count{kind="resolve",service="dispatch"} 1.0',
    ):
        assert line in text, line
