"""The supervisor's plan: which processes, on which ports."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from deploy.launcher.cli import up
from deploy.launcher.installation import trial_settings
from deploy.launcher.supervisor import STATE_FILE, check_ports, last_line, plan, refuse_second
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


def test_ports_in_use_are_named_before_anything_starts(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        program = plan(settings, {})[-1]
        program.port = port
        with pytest.raises(Misconfigured, match=rf"port\(s\) {port} are in use"):
            check_ports([program])


def test_a_port_that_does_not_exist_is_refused(settings):
    with pytest.raises(Misconfigured, match="does not exist"):
        check_ports(plan(replace(settings, port_base=65_000), {"notify": 40}))


def test_a_second_suite_from_the_same_folder_is_refused(tmp_path):
    refuse_second(tmp_path)
    (tmp_path / STATE_FILE).write_text(json.dumps({"pid": os.getppid()}), encoding="utf-8")
    with pytest.raises(Misconfigured, match=rf"A suite \(process {os.getppid()}\) runs from"):
        refuse_second(tmp_path)


@pytest.mark.parametrize("pair", ["foo=2", "dispatch=0", "dispatch", "dispatch=²"])
def test_a_slip_in_replicas_is_a_usage_error_and_writes_nothing(tmp_path, pair):
    folder = tmp_path / "suite"
    arguments = ["--with-servers", "--data-dir", str(folder), "--replicas", pair]
    result = CliRunner().invoke(up.command, arguments)
    assert result.exit_code == 2
    assert "services are intake" in result.output
    assert not folder.exists()


def test_without_settings_the_way_to_try_it_is_named(monkeypatch):
    for name in [name for name in os.environ if name.startswith("GRIDWHISTLE_")]:
        monkeypatch.delenv(name)
    result = CliRunner().invoke(up.command, [])
    assert isinstance(result.exception, Misconfigured)
    assert str(result.exception).endswith("or try it with `gridwhistle up --with-servers`")
