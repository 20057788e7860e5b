"""A tiny pack that is sound in every respect; each test spoils one thing."""

from __future__ import annotations

import pytest
import yaml

OFFICE = [["09:00", "12:00"], ["13:30", "17:30"]]


def name(zh, en=None):
    return {"zh": zh} if en is None else {"zh": zh, "en": en}


def unit(ident, level, kind, parent, *places):
    return {"id": ident, "name": name(ident), "level": level, "kind": kind, "parent": parent, "places": list(places)}


def person(ident, at, *roles):
    return {"id": ident, "name": name(ident), "unit": at, "roles": list(roles)}


def tiny_pack():
    """Return the files of the tiny pack as plain values, by file name."""
    return {
        "jurisdiction.yaml": {
            "name": "tiny",
            "title": name("小镇", "Tiny Town"),
            "timezone": "Asia/Shanghai",
            "levels": ["grid", "community", "street", "district"],
            "version": "1",
        },
        "units.yaml": [
            unit("district-1", "district", "district", None),
            unit("street-1", "street", "street", "district-1") | {"contact": {"mail": "street@tiny.example"}},
            unit("community-1", "community", "community", "street-1", "光华里"),
            unit("grid-1", "grid", "resident", "community-1", "光华里1号楼", "光华里2号楼"),
            unit("grid-2", "grid", "building", "zone-1", "正大中心", "建国路8"),
            unit("zone-1", "group", "building-zone", "street-1"),
            unit("water", "department", "department", "district-1"),
        ],
        "staff.yaml": [
            person("worker-1", "grid-1", "grid-worker"),
            person("head-1", "grid-1", "grid-head") | {"contact": {"phone": "010-0001", "mail": None}},
            person("secretary-1", "grid-1", "branch-secretary"),
            person("watcher-1", "grid-1", "supervisor"),
            person("head-2", "grid-2", "grid-head"),
            person("zone-clerk", "zone-1", "zone-clerk"),
            person("community-clerk", "community-1", "community-clerk"),
            person("street-clerk", "street-1", "street-clerk"),
            person("district-clerk", "district-1", "district-clerk"),
            person("officer-1", "water", "department-officer"),
        ],
        "categories.yaml": [
            {"id": "building", "name": name("楼内")},
            {"id": "lift", "name": name("电梯"), "parent": "building", "words": ["电梯", "电梯困人"]},
            {"id": "drain", "name": name("排水"), "words": ["下水道", "堵塞"], "department": "water"},
        ],
        "calendar.yaml": {
            "national": "cn",
            "week": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), OFFICE),
            "extra_days_off": [],
            "extra_makeup_days": [],
        },
        "policy.yaml": {
            "classes": [
                {
                    "id": "hazard",
                    "name": name("安全隐患", "Hazard"),
                    "clocks": {"accept": {"elapsed": "15m"}, "resolve": {"elapsed": "2h"}},
                    "pausable": False,
                },
                {
                    "id": "same-day",
                    "name": name("当日办", "Same day"),
                    "clocks": {
                        "accept": {"working": "30m"},
                        "resolve": {"end_of_working_day": {"days": 0, "cutoff": "16:00"}},
                    },
                    "pausable": True,
                    "warn_shares": [0.5, 0.8],
                    "grossly_overdue_share": 3,
                },
            ],
            "classification": [
                {"id": "trapped", "when": {"any_words": ["电梯困人"]}, "class": "hazard", "category": "lift"},
                {"id": "building", "when": {"categories": ["building"]}, "class": "same-day"},
                {"id": "otherwise", "when": {}, "class": "same-day"},
            ],
            "routing": [{"id": "firms", "when": {"asker": "enterprise"}, "start_level": "group"}],
            "escalation": {"authority_limits": {"grid": 2000, "community": 20000}},
            "whistle": {"report_in": {"working": "4h"}, "may_blow": ["community", "street"], "hop_limit": 3},
            "deliberation": {"quorum_share": 0.5, "adopt_share": 0.6, "days_open": 7},
            "publication": {"whitelist": ["category"]},
        },
        "templates.yaml": [
            {
                "id": "registered",
                "event": "intake.demand-registered",
                "audience": "asker",
                "channels": ["mail"],
                "subject": name("已登记 {{ number }}"),
                "body": name("您好", "Hello {{ number }}"),
            }
        ],
    }


@pytest.fixture
def files():
    """The files of a sound pack, to be spoilt."""
    return tiny_pack()


@pytest.fixture
def write(tmp_path):
    """Write files (values, or text as it is) into a pack's folder and return it."""

    def writer(contents):
        folder = tmp_path / "tiny"
        folder.mkdir(exist_ok=True)
        for file, content in contents.items():
            text = content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True)
            (folder / file).write_text(text, encoding="utf-8")
        return folder

    return writer
