"""500 demands come in as batches, reach every service and the trace, and the same ones again add nothing.

What becomes of them when processes die meanwhile: tests/chaos.
"""

from __future__ import annotations

import pytest

DEMANDS = 500
BATCH = 50

PROBLEMS = (
    "楼道三层的灯不亮了，老人上下楼看不清台阶",
    "小区门口的井盖松动，车压过响声很大",
    "装修垃圾堆在消防通道上好几天没人清",
    "楼下餐馆的油烟直接排到居民窗口",
    "电动车在楼道里充电，有火灾隐患",
    "路边的树枝压住了电线，刮风时打火",
    "单元门禁坏了，陌生人随便进出",
    "下水道堵了，污水漫到路面上",
)


def rows(run):
    """500 rows whose words differ between runs and within one, but for every tenth, which repeats the one before it."""
    made = []
    for number in range(DEMANDS):
        told = number - 1 if number % 10 == 9 else number
        asker = {"name": "王女士", "phone": "13800000000"} if number % 5 == 0 else {}
        made.append(
            {
                "text": f"{PROBLEMS[told % len(PROBLEMS)]}（{run}之{told}）",
                "location": {"address": f"建外街道第{told % 40}号楼"},
                "source_ref": f"{run}-{number}",
                "asker": {"kind": "resident"} | asker,
            }
        )
    return made


def import_all(suite, run):
    everything = rows(run)
    totals = {"registered": 0, "known": 0, "refused": 0}
    for number in range(0, DEMANDS, BATCH):
        body = {"source": "fault-test", "rows": everything[number : number + BATCH]}
        answer = suite.client.post("intake", "/api/v1/demands/import", body)
        for kind in totals:
            totals[kind] += answer[kind]
    return totals


@pytest.fixture(scope="module")
def undisturbed(full_suite):
    """What one run adds to the books when nobody dies."""
    full_suite.start()
    before = full_suite.ledger()
    totals = import_all(full_suite, "甲")
    assert totals == {"registered": DEMANDS, "known": 0, "refused": 0}
    full_suite.until_at_rest()
    return full_suite.ledger() - before


def test_an_undisturbed_run_reaches_every_service_and_the_trace(full_suite, undisturbed):
    assert undisturbed["trace", "gridwhistle.intake.demand-registered.v1"] == DEMANDS
    assert undisturbed["trace", "gridwhistle.intake.matter-opened.v1"] == DEMANDS * 9 // 10
    assert undisturbed["trace", "gridwhistle.dispatch.matter-classified.v1"] == DEMANDS * 9 // 10
    assert full_suite.left_over() == {}
    assert full_suite.trace_is_valid().ok


def test_the_same_rows_again_add_nothing(full_suite, undisturbed):
    before = full_suite.ledger()
    assert import_all(full_suite, "甲") == {"registered": 0, "known": DEMANDS, "refused": 0}
    full_suite.until_at_rest()
    assert full_suite.ledger() == before
