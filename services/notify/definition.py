"""Notify as data, for whichever way the suite is started."""

from __future__ import annotations

import logging
from pathlib import Path

from services.notify import (
    commands,
    handlers,
    metrics,
    notice_rendering,
    notice_repository,
    notice_sending,
    post,
    recovery,
    rendering,
    sending,
    tables,
)
from services.notify.read_model import READ_MODEL
from services.notify.recipients import Audience
from services.notify.subscriptions import SUBSCRIPTIONS
from services.notify.web.routes import ROUTES
from shared.kernel.errors import Misconfigured
from shared.ledger.unit_of_work import Surroundings
from shared.runtime.definition import OutwardWork, ServiceDefinition, commands_of

log = logging.getLogger(__name__)


def prepare(at_hand: Surroundings) -> None:
    """Try every template before the first asker needs it. Raises Misconfigured."""
    for template in at_hand.jurisdiction.templates:
        try:
            if template.audience in set(Audience):
                notice_rendering.check(template, at_hand.jurisdiction, at_hand.clock.now())
            else:
                rendering.check(template, at_hand.jurisdiction, at_hand.clock.now())
        except rendering.CannotRender as error:
            raise Misconfigured(str(error)) from error
        if template.event not in SUBSCRIPTIONS or template.audience not in {handlers.ASKER, *Audience}:
            log.warning("nobody will be told", extra={"template": template.id, "event": template.event})


DEFINITION = ServiceDefinition(
    name="notify",
    commands=commands_of(commands, handlers),
    subscriptions=SUBSCRIPTIONS,
    routes=ROUTES,
    tables=tables.metadata,
    migrations=Path(__file__).parent / "migrations",
    outward_work=(
        OutwardWork(
            name="sending",
            claim=sending.claim,
            carry_out=sending.carry_out,
            settle=sending.settle,
            record=sending.record,
            next_due=post.next_due,
        ),
        OutwardWork(
            name="notices",
            claim=notice_sending.claim,
            carry_out=notice_sending.carry_out,
            settle=sending.settle,
            record=notice_sending.record,
            next_due=notice_repository.next_due,
        ),
    ),
    plugin_groups=(sending.GROUP,),
    prepare=prepare,
    observe=metrics.observe,
    refresh=metrics.refresh,
    retell=recovery.retell,
    read_model=READ_MODEL,
)
