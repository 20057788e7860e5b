"""What the demo's workers write: notes, outcomes and evidence by kind of matter. Invented, and only for the demo."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Words:
    """Texts for one kind of matter."""

    arrived: str
    outcome: str
    evidence: tuple[str, ...]
    #: What is asked of a department.
    request: str = "请派员到现场，与社区网格共同处置，并反馈结果。"


#: First part of a category's id -> texts.
_BY_KIND = {
    "safety": Words(
        arrived="网格员已到场，现场拉起警戒并疏散围观人员，专业人员正在排查。",
        outcome="隐患已排除，现场复查安全，并向楼内住户逐户告知。",
        evidence=("隐患排除后现场", "复查记录"),
        request="现场存在安全隐患，请立即派专业力量到场处置。",
    ),
    "building": Words(
        arrived="已上门查看，联系物业维修人员带料到场。",
        outcome="维修完成，当场试用正常，已请住户确认。",
        evidence=("维修前", "维修后试用正常"),
    ),
    "access": Words(
        arrived="已入户了解需要，量好尺寸并登记。",
        outcome="改造安装完成，老人试用稳固，志愿者结对回访。",
        evidence=("安装完成", "使用情况"),
    ),
    "environment": Words(
        arrived="现场查看并拍照，已通知责任单位清理。",
        outcome="清理完毕，点位加入每日巡查清单。",
        evidence=("清理前", "清理后"),
    ),
    "order": Words(
        arrived="现场劝导并登记，通知责任单位整改。",
        outcome="秩序恢复，与商户、企业签订门前责任书，安排定时巡查。",
        evidence=("整治前", "整治后"),
        request="该点位反复出现问题，请到场执法并研究长效措施。",
    ),
    "nuisance": Words(
        arrived="到现场听取双方意见，并做了首次测量记录。",
        outcome="责任方已整改，复测达标，双方在调解记录上签字。",
        evidence=("复测读数", "整改后设备"),
        request="请到场检测并依法督促整改，结果书面反馈社区。",
    ),
    "traffic": Words(
        arrived="现场勘查出入口和车流，已联系车主与产权单位。",
        outcome="通道恢复，增设提示标识，错峰停车协议已签。",
        evidence=("通道恢复", "新设标识"),
    ),
    "utilities": Words(
        arrived="已联系产权单位抢修，先行安排应急保障。",
        outcome="抢修完成，恢复供应，逐户确认正常。",
        evidence=("抢修完成", "恢复供应"),
        request="请派抢修队到场查明原因并尽快恢复供应。",
    ),
    "property": Words(
        arrived="约请物业、业主代表见面，调取了近三年的账目。",
        outcome="账目已公示，业主代表参加核对，形成整改清单。",
        evidence=("公示栏", "核对会签到"),
    ),
    "service": Words(
        arrived="已电话联系诉求人，问清情况。",
        outcome="已当面答复并协助办理，材料清单同步发送。",
        evidence=("答复记录",),
    ),
    "business": Words(
        arrived="楼域服务专员已上门，整理政策清单和申报条件。",
        outcome="申报材料已受理，专人跟进，进度可查。",
        evidence=("受理回执",),
        request="请指导企业申报，并在楼域服务站安排一次集中答疑。",
    ),
    "tower": Words(
        arrived="会同楼宇管理方查看，收集同楼企业意见。",
        outcome="楼宇方完成整改，企业代表现场确认。",
        evidence=("整改后", "企业确认单"),
    ),
}  # fmt: skip
_OTHERWISE = Words(
    arrived="已到现场了解情况。", outcome="已按诉求处理完毕，诉求人知晓。", evidence=("处理后现场",)
)  # fmt: skip

VERIFIED = "电话回访并到场查看，情况属实。"
NOT_DONE = "到场查看，尚未完全处理到位，请继续办理。"


def words_for(category: str) -> Words:
    """The texts for a category."""
    return _BY_KIND.get(category.split("-", 1)[0], _OTHERWISE)
