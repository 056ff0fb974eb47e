/* The key table in words: what is allowed, of which kind. */
#include "conf/conf_table.h"

#include "conf/yaml.h"

const char *conf_table_allowed(const struct conf_key *k, char *out, size_t cap)
{
    char a[YAML_UNIT_MAX], b[YAML_UNIT_MAX];
    out[0] = '\0';
    switch (k->type) {
    case CONF_INT:
        snprintf(out, cap, "%lld to %lld", (long long)k->min, (long long)k->max);
        break;
    case CONF_DURATION:
        snprintf(out, cap, "%s to %s", yaml_duration_print(k->min, a), yaml_duration_print(k->max, b));
        break;
    case CONF_SIZE:
        snprintf(out, cap, "%s to %s", yaml_size_print(k->min, a), yaml_size_print(k->max, b));
        break;
    case CONF_BOOL:
        return "true, false";
    case CONF_LOG_LEVEL:
        return "error, warn, info, debug";
    case CONF_PRESET:
        return "strict, standard, lenient";
    case CONF_POLICY:
        return "pass, block";
    case CONF_AGENT:
        return "pass, refuse";
    case CONF_TARGET:
        return "agent, supervisor";
    case CONF_MASKING:
        return "masked, full";
    case CONF_CHANNEL:
        return "chat, call";
    case CONF_HOOK:
        return "generic, dingtalk, wecom, feishu";
    case CONF_EXPIRY:
        return "refuse, send";
    case CONF_WORD:
        for (size_t i = 0, n = 0; k->words[i] && n < cap; i++)
            n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? ", " : "", k->words[i]);
        break;
    case CONF_NAME:
        return "letters, digits, `.`, `_`, `-`";
    case CONF_LISTEN:
    case CONF_CONNECT:
        return "HOST:PORT, [IPv6]:PORT, unix:PATH";
    case CONF_CONNECTS:
    case CONF_TEXTS:
    case CONF_PATHS:
    case CONF_CIDRS:
    case CONF_LIST:
        snprintf(out, cap, "%lld to %lld entries", (long long)k->min, (long long)k->max);
        break;
    case CONF_TEXT:
    case CONF_PATH:
        break;
    }
    return out;
}

const char *conf_table_type(const struct conf_key *k)
{
    static const char *const names[] = {
        [CONF_TEXT] = "text",           [CONF_NAME] = "name",           [CONF_PATH] = "path",
        [CONF_INT] = "number",          [CONF_BOOL] = "switch",         [CONF_DURATION] = "time",
        [CONF_SIZE] = "size",           [CONF_LOG_LEVEL] = "word",      [CONF_PRESET] = "word",
        [CONF_POLICY] = "word",         [CONF_AGENT] = "word",          [CONF_TARGET] = "word",
        [CONF_LISTEN] = "address",      [CONF_CONNECT] = "address",     [CONF_CONNECTS] = "list of addresses",
        [CONF_TEXTS] = "list of texts", [CONF_PATHS] = "list of paths", [CONF_CIDRS] = "list of networks",
        [CONF_LIST] = "list of maps",   [CONF_MASKING] = "word",        [CONF_HOOK] = "word",
        [CONF_CHANNEL] = "word",        [CONF_EXPIRY] = "word",         [CONF_WORD] = "word",
    };
    return names[k->type];
}
