#include "gate/policy.h"

bool policy_blocks(const struct conf *conf, struct counters *count, enum cause c)
{
    counter_add(&count->cause[c], 1);
    return conf->policy[c] == POLICY_BLOCK;
}

const char *policy_reason(enum cause c)
{
    switch (c) {
    case CAUSE_OPAQUE:
        return "消息未发送：内容已加密或无法读取，不能检查。请改用普通文字发送。";
    case CAUSE_BINARY:
        return "消息未发送：此通道不支持这种消息格式。";
    case CAUSE_BAD_JSON:
    case CAUSE_AMBIGUOUS_JSON:
        return "消息未发送：消息格式有误或有歧义。请刷新页面后重试。";
    case CAUSE_TOO_COMPLEX:
    case CAUSE_REGEX_LIMIT:
        return "消息未发送：消息过长或过于复杂，无法检查。请分成几条发送。";
    case CAUSE_UNKNOWN_AGENT:
    case CAUSE_NO_IDENTITY:
        return "消息未发送：无法确认您的客服身份。请重新登录。";
    case CAUSE_REWRITE_FAILED:
        return "消息未发送：其中有不合规的用语，自动修改后仍不合规。请换一种说法。";
    case CAUSE_RING_FULL:
        return "消息未发送：服务质量记录暂时不可用，请稍后再发。";
    case CAUSE_HOLD_IMPOSSIBLE:
        return "消息未发送：此内容须经主管批准，但在当前连接中无法提交审批。请换一种说法，或分成较短的消息发送。";
    case CAUSE_UNKNOWN_UNIT:
    case CAUSE_COUNT:
        break;
    }
    return "消息未发送：无法检查此消息。";
}
