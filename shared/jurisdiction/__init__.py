"""Jurisdiction packs: a town's units, people, categories, calendar and policy as data, loaded and checked.

It must never hold one town's facts in code, and never act on a rule: services ask, this package answers.
"""

from __future__ import annotations

from shared.jurisdiction.faults import InvalidPack, PackNotFound, Problem
from shared.jurisdiction.findings import Finding, Severity
from shared.jurisdiction.lint import lint
from shared.jurisdiction.loader import find, load
from shared.jurisdiction.pack import Classification, Inputs, Jurisdiction
from shared.jurisdiction.policy import (
    ClassificationRule,
    Policy,
    ResponseClass,
    RoutingRule,
    When,
)
from shared.jurisdiction.territory import (
    CLOCK_KINDS,
    DEPARTMENT,
    GROUP,
    UNIT_KINDS,
    Category,
    Label,
    Person,
    Template,
    Unit,
    UnknownCategory,
    UnknownClass,
    UnknownLevel,
    UnknownPerson,
    UnknownUnit,
)

__all__ = [
    "CLOCK_KINDS",
    "DEPARTMENT",
    "GROUP",
    "UNIT_KINDS",
    "Category",
    "Classification",
    "ClassificationRule",
    "Finding",
    "Inputs",
    "InvalidPack",
    "Jurisdiction",
    "Label",
    "PackNotFound",
    "Person",
    "Policy",
    "Problem",
    "ResponseClass",
    "RoutingRule",
    "Severity",
    "Template",
    "Unit",
    "UnknownCategory",
    "UnknownClass",
    "UnknownLevel",
    "UnknownPerson",
    "UnknownUnit",
    "When",
    "find",
    "lint",
    "load",
]
