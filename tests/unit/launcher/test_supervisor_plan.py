"""The supervisor's plan: which processes, on which ports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from deploy.launcher.installation import trial_settings
from deploy.launcher.supervisor import last_line, plan
from shared.kernel.errors import Misconfigured

PROMETHEUS = Path(__file__).parents[3] / "deploy" / "prometheus" / "prometheus.yml"


@pytest.fixture
def settings(tmp_path):
    return trial_settings(tmp_path, "jianwai")


def test_no_two_processes_share_a_port_or_a_name(settings):
    programs = plan(settings, {"dispatch": 3, "intake": 2})
    assert len(programs) == 13
    assert len({program.port for program in programs}) == 13
    assert len({program.name for program in programs}) == 13


@pytest.mark.parametrize("replicas", [{"dispatch": 0}, {"unheard-of": 1}])
def test_replicas_that_make_no_sense_are_refused(settings, replicas):
    with pytest.raises(Misconfigured, match="services are intake"):
        plan(settings, replicas)


def test_prometheus_scrapes_every_process_of_a_default_installation(settings):
    jobs = {job["job_name"]: job for job in yaml.safe_load(PROMETHEUS.read_text(encoding="utf-8"))["scrape_configs"]}
    planned = plan(replace(settings, port_base=8700), {})
    for kind, job in (("serve", "gridwhistle-services"), ("relay", "gridwhistle-relays")):
        targets = [f"127.0.0.1:{program.port}" for program in planned if program.kind == kind]
        assert jobs[job]["static_configs"][0]["targets"] == targets


def test_the_last_line_of_a_log_is_its_message(tmp_path):
    log = tmp_path / "x.log"
    assert last_line(log) == "it said nothing"
    log.write_text('Traceback\n{"message": "cannot start: no pack"}\n', encoding="utf-8")
    assert last_line(log) == "cannot start: no pack"
    log.write_text("no JSON at all\n", encoding="utf-8")
    assert last_line(log) == "no JSON at all"
