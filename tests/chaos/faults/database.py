"""PostgreSQL restarted, killed, its sessions ended."""

from __future__ import annotations

from tests.chaos.faults.fault import FULL, Fault, Struck, nothing_to_heal


def _start(world, struck):
    del struck
    world.postgresql.start()  # no-op while it runs


def _restart(mode):
    def strike(world, dice):
        del dice
        world.postgresql.stop(mode)
        world.postgresql.start()
        return Struck(what="PostgreSQL", detail={"away_s": world.postgresql.started_in})

    return strike


def _kill(world, dice):
    del dice
    world.postgresql.kill()
    return Struck(what="PostgreSQL")


def _terminate(world, dice):
    del dice
    return Struck(what="PostgreSQL", detail={"sessions": world.postgresql.terminate_sessions()})


def _kill_backend(world, dice):
    """One session ended by force: the server throws everybody out and recovers from its log."""
    found = world.postgresql.sessions()
    victim = dice.choice(sorted(found)) if found else None
    if victim is not None:
        world.postgresql.kill_session(victim)
    return Struck(what="a session of PostgreSQL", detail={"of": len(found)})


def _fault(kind, hold_s, strike, heal, how):
    return Fault(kind=kind, modes=frozenset({FULL}), hold_s=hold_s, strike=strike, heal=heal, how=how)


FAULTS = (
    _fault(
        "database-restarted", (0, 0), _restart("fast"), nothing_to_heal,
        "PostgreSQL restarted (fast: sessions are ended, transactions rolled back)",
    ),
    _fault(
        "database-restarted-at-once", (0, 0), _restart("immediate"), nothing_to_heal,
        "PostgreSQL restarted (immediate: it recovers from its log)",
    ),
    _fault("database-killed", (0, 4), _kill, _start, "SIGKILL of all of PostgreSQL, started some seconds later"),
    _fault("sessions-terminated", (0, 0), _terminate, nothing_to_heal, "pg_terminate_backend of every session at once"),
    _fault(
        "session-killed", (1, 1), _kill_backend, _start,
        "SIGKILL of one session's process: PostgreSQL ends all sessions and recovers from its log",
    ),
)  # fmt: skip
