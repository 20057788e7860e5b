"""Every alert: it fires on what it is about and not on what is normal, uses metrics that exist, and has its section."""

from __future__ import annotations

import ast
import re
import subprocess
import time
from pathlib import Path

import pytest
import requests
import yaml

from deploy.launcher.documents import metrics
from deploy.servers import debian
from shared.wire import declare
from tests.integration.deploy.alert_cases import CASES

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yaml"))
RUNBOOK = ROOT / "docs" / "runbook.md"
ALERTS = {
    rule["alert"]: rule
    for path in RULES
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}
NAME = re.compile(r"\b(?:gridwhistle|rabbitmq)_\w+|\bup\b")


def names(expression):
    return set(NAME.findall(expression))


def promtool(*arguments):
    program = debian.ensure(debian.PROMETHEUS) / "promtool"
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def sections():
    return set(re.findall(r"^#+ (\S+)", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_the_configuration_and_its_rules_are_well_formed():
    promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))


def test_alerts_fire_on_what_they_are_about_and_on_nothing_else(tmp_path):
    firing = 'group by (alertname) (ALERTS{alertstate="firing"})'
    tests = [
        {
            "name": one.about,
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in one.series.items()],
            "promql_expr_test": [
                {
                    "expr": firing,
                    "eval_time": f"{one.at}m",
                    "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in one.fires],
                }
            ],
        }
        for one in CASES
    ]
    content = {"rule_files": [str(path) for path in RULES], "evaluation_interval": "30s", "tests": tests}
    path = tmp_path / "cases.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    promtool("test", "rules", str(path))


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_a_case_that_fires_and_one_with_the_same_metrics_that_does_not(alert):
    wanted = names(ALERTS[alert]["expr"])
    assert any(alert in one.fires for one in CASES)
    assert any(alert not in one.fires and wanted <= names(" ".join(one.series)) for one in CASES)


def test_every_metric_of_ours_exists():
    known = metrics.names(ROOT)
    used = {name for rule in ALERTS.values() for name in names(rule["expr"]) if name.startswith("gridwhistle_")}
    assert {name.removesuffix("_bucket") for name in used} <= known


def test_every_metric_of_the_broker_exists_where_prometheus_looks_for_it(rabbitmq, vhost):
    declare.declare(vhost)
    jobs = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    looked_at = [job for job in jobs if job["job_name"].startswith("rabbitmq")]
    base = rabbitmq.metrics_url.removesuffix("/metrics")
    used = {name for rule in ALERTS.values() for name in names(rule["expr"]) if name.startswith("rabbitmq_")}
    deadline = time.monotonic() + 30
    while True:
        pages = [requests.get(base + job["metrics_path"], job.get("params"), timeout=10).text for job in looked_at]
        shown = {line.split("{")[0].split(" ")[0] for page in pages for line in page.splitlines()}
        if used <= shown:
            break
        assert time.monotonic() < deadline, used - shown
        time.sleep(0.5)  # noqa: TID251 -- the broker counts its queues every 5 s


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_says_in_both_languages_what_is_wrong_and_links_to_its_section(alert):
    notes = ALERTS[alert]["annotations"]
    assert ALERTS[alert]["labels"]["severity"] in ("page", "ticket")
    assert re.match(r"^.*[\u4e00-\u9fff].* / .*[a-z]", notes["summary"])
    assert re.search(r"[\u4e00-\u9fff].*[A-Z][a-z ]", notes["description"])
    assert notes["runbook"] == f"docs/runbook.md#{alert.lower()}"
    assert alert in sections()


def test_each_reason_to_quarantine_has_its_section():
    source = (ROOT / "shared" / "ledger" / "reception.py").read_text(encoding="utf-8")
    reasons = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_set_aside":
            reasons |= {part.value for part in ast.walk(node.args[2]) if isinstance(part, ast.Constant)}
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "reason":
            reasons |= {part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)}
    assert {"undecodable", "schema-violation", "handler-failed"} <= reasons
    assert reasons <= sections()
