"""Who asks: an actor with roles and a unit, and what each role may do.

Default deny: a command names the permission it needs, a role grants a set of them, and the handler checks that the
matter lies in the actor's unit or below. Roles for system, security and audit administration are separate (GB/T 22239).
"""

from __future__ import annotations

from dataclasses import dataclass

#: role -> the permissions it grants. A permission not listed here is granted to nobody.
ROLE_PERMISSIONS: dict[str, frozenset[str]] = {
    "citizen": frozenset({"register-demand", "give-opinion", "cast-vote"}),
    "resident-representative": frozenset({"register-demand", "give-opinion", "cast-vote"}),
    "grid-worker": frozenset(
        {
            "register-demand",
            "read-matters",
            "handle-matter",
            "take-claim",
            "open-topic",
            "give-opinion",
            "cast-vote",
            "read-notices",
        }
    ),
    "grid-head": frozenset(
        {
            "read-notices",
            "register-demand",
            "read-matters",
            "handle-matter",
            "verify-matter",
            "take-claim",
            "open-topic",
            "host-topic",
            "give-opinion",
            "cast-vote",
        }
    ),
    "branch-secretary": frozenset(
        {
            "read-matters",
            "take-claim",
            "open-topic",
            "host-topic",
            "give-opinion",
            "cast-vote",
            "verify-matter",
            "read-notices",
        }
    ),
    "community-clerk": frozenset(
        {
            "read-notices",
            "register-demand",
            "import-demands",
            "read-matters",
            "handle-matter",
            "verify-matter",
            "assign-matter",
            "post-claim",
            "take-claim",
            "list-resource",
            "blow-whistle",
            "open-topic",
            "host-topic",
            "give-opinion",
            "cast-vote",
            "read-reports",
        }
    ),
    "street-clerk": frozenset(
        {
            "read-notices",
            "register-demand",
            "import-demands",
            "read-matters",
            "handle-matter",
            "verify-matter",
            "assign-matter",
            "post-claim",
            "take-claim",
            "list-resource",
            "blow-whistle",
            "open-topic",
            "host-topic",
            "give-opinion",
            "read-reports",
            "publish-report",
            "decide-extension",
            "decide-whistle",
            "locate-demand",
        }
    ),
    "district-clerk": frozenset(
        {
            "read-notices",
            "register-demand",
            "import-demands",
            "read-matters",
            "handle-matter",
            "verify-matter",
            "assign-matter",
            "post-claim",
            "take-claim",
            "list-resource",
            "blow-whistle",
            "open-topic",
            "host-topic",
            "read-reports",
            "publish-report",
            "decide-extension",
            "decide-whistle",
            "locate-demand",
        }
    ),
    "department-officer": frozenset({"answer-whistle", "take-claim", "give-opinion", "read-notices"}),
    "party-member": frozenset({"take-claim", "read-notices"}),
    "volunteer": frozenset({"take-claim", "read-notices"}),
    "member-unit": frozenset({"take-claim", "list-resource", "read-notices"}),
    "supervisor": frozenset(
        {
            "read-matters",
            "verify-matter",
            "read-trace",
            "read-reports",
            "inspect",
            "order-rectification",
            "read-notices",
        }
    ),
    "deliberation-host": frozenset({"open-topic", "host-topic", "give-opinion", "read-matters"}),
    "expert": frozenset({"give-opinion"}),
    "system-admin": frozenset({"operate", "import-calendar", "import-demands", "read-reports"}),
    "security-admin": frozenset({"manage-tokens"}),
    "audit-admin": frozenset({"read-trace", "read-reports"}),
}

#: Every permission there is, so that a misspelt one is a start-up error and not a silent refusal.
PERMISSIONS = frozenset().union(*ROLE_PERMISSIONS.values())


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A person or system, as its verified token says."""

    #: Stable id: a person of the pack, a system's name, or `asker:<demand id>`.
    id: str
    roles: frozenset[str]
    #: The unit whose subtree is the actor's scope; None for those bound to no territory (systems, askers).
    unit: str | None = None

    def may(self, permission: str) -> bool:
        """Whether one of the roles grants the permission."""
        return any(permission in ROLE_PERMISSIONS.get(role, frozenset()) for role in self.roles)


#: The suite itself: due work and event handlers act as this.
SYSTEM = Actor(id="system", roles=frozenset({"system-admin"}))
#: Nobody in particular: public pages and residents without an account.
ANONYMOUS = Actor(id="anonymous", roles=frozenset())
