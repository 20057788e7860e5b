"""Drift: what a broker has otherwise than the suite needs it. The findings' form; looking is done elsewhere.

Every finding says what it is (a stable code), where, what is so, and what to do. A fault keeps the suite from its
promises; a note is worth knowing and hurts nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Code -> what it is called, Chinese first.
TITLES = {
    "missing-exchange": "缺少交换机 exchange missing",
    "missing-queue": "缺少队列 queue missing",
    "missing-binding": "缺少绑定 binding missing",
    "extra-binding": "多余绑定 extra binding",
    "wrong-exchange": "交换机不符 exchange differs",
    "wrong-arguments": "队列参数不符 queue arguments differ",
    "arguments-of-0.1": "沿用 0.1.0 参数 arguments of release 0.1.0",
    "missing-policy": "缺少策略 policy missing",
    "wrong-policy": "策略不符 policy differs",
    "displaced-policy": "策略被覆盖 policy displaced",
    "operator-policy": "另有运维策略 operator policy in force",
    "foreign-queue": "外部队列 foreign queue",
    "unknown-queue": "未知队列 unknown queue",
    "no-dead-letter-target": "死信无处可去 dead letters have no target",
    "feature-flag-off": "功能开关未启用 feature flag off",
    "permission-missing": "缺少权限 permission missing",
    "missing-user": "缺少部门账号 department's user missing",
    "wrong-rights": "部门权限不符 department's rights differ",
    "others-may-answer": "他人可代部门答复 others may answer for a department",
    "others-may-read": "他人可取消息 others may take messages",
    "member-offline": "副本离线 member offline",
    "few-members": "副本不足 too few members",
    "no-majority": "失去多数 majority lost",
    "not-allowed": "无权声明 not allowed to declare",
    "not-looked-at": "未检查 not looked at",
}


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One finding."""

    code: str
    #: The thing: `queue gridwhistle.notify.from.intake`.
    where: str
    what: str
    #: What to do.
    remedy: str
    #: False: a note.
    fault: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


def faults(found: tuple[Drift, ...]) -> tuple[Drift, ...]:
    """Only what keeps the suite from its promises."""
    return tuple(one for one in found if one.fault)
