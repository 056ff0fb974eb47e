/* Why a message could not be treated as usual. One table for configuration, logs, counters and the control socket. The
 * decision for each cause is `policy:` in the configuration, applied by gate/policy.c and nowhere else. */
#pragma once

/* X(id, name, default policy, help) */
#define CAUSES(X)                                                                                                      \
    X(CAUSE_OPAQUE, "opaque", POLICY_BLOCK, "an encrypted or otherwise unreadable message body")                       \
    X(CAUSE_BINARY, "binary", POLICY_BLOCK, "a frame of the kind that this route does not carry")                      \
    X(CAUSE_BAD_JSON, "bad_json", POLICY_BLOCK, "invalid JSON on a route that carries JSON")                           \
    X(CAUSE_AMBIGUOUS_JSON, "ambiguous_json", POLICY_BLOCK, "JSON that two readers could understand differently")      \
    X(CAUSE_TOO_COMPLEX, "too_complex", POLICY_BLOCK, "deeper, longer or with more texts than can be inspected")       \
    X(CAUSE_UNKNOWN_UNIT, "unknown_unit", POLICY_PASS, "well-formed, but matched by no rule of the profile")           \
    X(CAUSE_UNKNOWN_AGENT, "unknown_agent", POLICY_PASS, "a message from an agent that the directory does not list")   \
    X(CAUSE_NO_IDENTITY, "no_identity", POLICY_PASS, "a message before the agent is known")                            \
    X(CAUSE_REGEX_LIMIT, "regex_limit", POLICY_BLOCK, "a rule's regular expression reached its match limit")           \
    X(CAUSE_REWRITE_FAILED, "rewrite_failed", POLICY_BLOCK, "a rewrite that could not be spliced or was not clean")    \
    X(CAUSE_RING_FULL, "ring_full", POLICY_PASS, "no room left to record events while Redis is away")                  \
    X(CAUSE_HOLD_IMPOSSIBLE, "hold_impossible", POLICY_BLOCK, "a message to hold for approval that cannot be kept")

enum cause {
#define X(id, name, policy, help) id,
    CAUSES(X)
#undef X
        CAUSE_COUNT
};

enum policy { POLICY_PASS, POLICY_BLOCK };

/* The name of a cause, for people and labels. */
const char *cause_name(enum cause c);
