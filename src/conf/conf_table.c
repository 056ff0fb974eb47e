#include "conf/conf_table.h"

#define KIB  ((int64_t)1 << 10)
#define MIB  ((int64_t)1 << 20)
#define GIB  ((int64_t)1 << 30)
#define SEC  ((int64_t)1000)
#define MIN  (60 * SEC)
#define HOUR (60 * MIN)
#define DAY  (24 * HOUR)

#define AT(member)       .offset = offsetof(struct conf, member)
#define COUNT(member)    .count_offset = offsetof(struct conf, member)
#define L_AT(member)     .offset = offsetof(struct conf_listener, member)
#define U_AT(member)     .offset = offsetof(struct conf_upstream, member)
#define HOOK_AT(member)  .offset = offsetof(struct conf_webhook, member)
#define QUIET_AT(member) .offset = offsetof(struct conf_quiet_shop, member)
#define STEP_AT(member)  .offset = offsetof(struct conf_reminder_step, member)
#define RELOAD           .is_reloadable = true
#define REQUIRED         .is_required = true

/* clang-format off */
static const struct conf_key keys[] = {
    {"log_level", CONF_LOG_LEVEL, AT(log_level), .def = "info", RELOAD,
     .help = "least important lines that are logged"},
    {"node", CONF_NAME, AT(node),
     .help = "name of this node, unique in the cluster; default: the host name"},
    {"workers", CONF_INT, AT(workers), .min = 0, .max = 256, .def = "0",
     .help = "threads that carry messages; 0: one per core"},
    {"profiles_dir", CONF_PATH, AT(profiles_dir), .def = "$DATA/profiles", RELOAD,
     .help = "folder with the backend profiles, NAME.yaml each"},
    {"directory", CONF_PATH, AT(directory), RELOAD,
     .help = "file that says who is who; default: nobody is listed"},
    {"unknown_agent", CONF_AGENT, AT(refuse_unknown_agents), .def = "pass", RELOAD,
     .help = "refuse: sessions of agents that the directory does not list are ended"},
    {"admin", CONF_LISTEN, AT(admin), .def = "none",
     .help = "address of /metrics, /healthz and /readyz, or none"},
    {"control", CONF_PATH, AT(control), .def = "/run/chatgate/control.sock",
     .help = "socket of the commands status, reload, drain, mode"},
    {"control_group", CONF_NAME, AT(control_group),
     .help = "group that may use the control socket; default: the daemon's own"},

    {"listeners", CONF_LIST, AT(listener), COUNT(n_listeners), .item_bytes = sizeof(struct conf_listener),
     .min = 1, .max = 64, REQUIRED,
     .help = "where agents connect"},
    {"listeners[].name", CONF_NAME, L_AT(name),
     .help = "for logs and metrics; default: the address; of an inherited socket: its FileDescriptorName"},
    {"listeners[].address", CONF_LISTEN, L_AT(addr), REQUIRED,
     .help = "where to listen; systemd: the inherited socket of the listener's name"},
    {"listeners[].profile", CONF_NAME, L_AT(profile), REQUIRED, RELOAD,
     .help = "backend profile, a file of profiles_dir without .yaml"},
    {"listeners[].upstream", CONF_NAME, L_AT(upstream), REQUIRED, RELOAD,
     .help = "name of the upstream that serves it"},
    {"listeners[].tls.certificate", CONF_PATH, L_AT(tls.certificate), RELOAD,
     .help = "PEM file with the certificate and its chain; turns TLS on"},
    {"listeners[].tls.key", CONF_PATH, L_AT(tls.key), RELOAD,
     .help = "PEM file with the private key"},
    {"listeners[].proxy_protocol_from", CONF_CIDRS, L_AT(proxy_protocol_from),
     .count_offset = offsetof(struct conf_listener, n_proxy_protocol_from), .max = 256, .def = "[]", RELOAD,
     .help = "networks whose connections must begin with a PROXY protocol header"},
    {"listeners[].forwarded_headers", CONF_BOOL, L_AT(forwarded_headers), .def = "true", RELOAD,
     .help = "add X-Forwarded-For and X-Forwarded-Proto to requests"},

    {"upstreams", CONF_LIST, AT(upstream), COUNT(n_upstreams), .item_bytes = sizeof(struct conf_upstream),
     .min = 1, .max = 64, REQUIRED, RELOAD,
     .help = "the IM servers"},
    {"upstreams[].name", CONF_NAME, U_AT(name), REQUIRED, RELOAD,
     .help = "for listeners, logs and metrics"},
    {"upstreams[].servers", CONF_CONNECTS, U_AT(server), .count_offset = offsetof(struct conf_upstream, n_servers),
     .min = 1, .max = 64, REQUIRED, RELOAD,
     .help = "addresses of the servers"},
    {"upstreams[].tls.enabled", CONF_BOOL, U_AT(tls.is_on), .def = "false", RELOAD,
     .help = "speak TLS to the servers"},
    {"upstreams[].tls.ca", CONF_PATH, U_AT(tls.ca), RELOAD,
     .help = "PEM file of trusted authorities; default: the system's"},
    {"upstreams[].tls.verify", CONF_BOOL, U_AT(tls.verify), .def = "true", RELOAD,
     .help = "verify the server's certificate and name"},
    {"upstreams[].tls.server_name", CONF_TEXT, U_AT(tls.server_name), RELOAD,
     .help = "name to send and to verify; default: the host of the address"},
    {"upstreams[].health.interval", CONF_DURATION, U_AT(health_interval_ms), .min = 100, .max = HOUR, .def = "5s", RELOAD,
     .help = "time between two health checks"},
    {"upstreams[].health.timeout", CONF_DURATION, U_AT(health_timeout_ms), .min = 10, .max = 5 * MIN, .def = "2s", RELOAD,
     .help = "a check without an answer for so long has failed"},
    {"upstreams[].health.fall", CONF_INT, U_AT(health_fall), .min = 1, .max = 100, .def = "3", RELOAD,
     .help = "failed checks in a row until a server is down"},
    {"upstreams[].health.rise", CONF_INT, U_AT(health_rise), .min = 1, .max = 100, .def = "2", RELOAD,
     .help = "good checks in a row until a server is up again"},

    {"rules.packs", CONF_PATHS, AT(rules.packs), COUNT(rules.n_packs), .max = 256, .def = "[$DATA/rules]", RELOAD,
     .help = "rule packs: files, or folders whose *.yaml are read in name order"},
    {"rules.local", CONF_PATH, AT(rules.local), RELOAD,
     .help = "folder of the deployment's own rules and changes to the packs"},
    {"rules.preset", CONF_PRESET, AT(rules.preset), .def = "standard", RELOAD,
     .help = "how strict the packs are"},
    {"rules.allow_domains", CONF_TEXTS, AT(rules.allow_domains), COUNT(rules.n_allow_domains), .max = 10000, .def = "[]", RELOAD,
     .help = "domains that agents may send, with all below them"},

#define X(id, cause, policy_default, text) \
    {"policy." cause, CONF_POLICY, AT(policy[id]), .def = policy_default == POLICY_PASS ? "pass" : "block", RELOAD, .help = text},
    CAUSES(X)
#undef X

    {"limits.connections", CONF_INT, AT(limits.connections), .min = 1, .max = 1000000, .def = "10000", RELOAD,
     .help = "agent connections of the whole daemon"},
    {"limits.connections_per_address", CONF_INT, AT(limits.connections_per_address), .min = 0, .max = 1000000, .def = "0", RELOAD,
     .help = "agent connections from one address; 0: no limit"},
    {"limits.head_bytes", CONF_SIZE, AT(limits.head_bytes), .min = KIB, .max = MIB, .def = "16k", RELOAD,
     .help = "the longest HTTP head"},
    {"limits.message_bytes", CONF_SIZE, AT(limits.message_bytes), .min = KIB, .max = 16 * MIB, .def = "256k", RELOAD,
     .help = "the longest message that can be inspected"},
    {"limits.buffer_bytes", CONF_SIZE, AT(limits.buffer_bytes), .min = 64 * KIB, .max = 64 * MIB, .def = "1M", RELOAD,
     .help = "bytes that wait for one slow peer before the other side is no longer read"},
    {"limits.messages_per_s", CONF_INT, AT(limits.messages_per_s), .min = 0, .max = 100000, .def = "0", RELOAD,
     .help = "messages of one session in a second; 0: no limit"},
    {"limits.bytes_per_s", CONF_SIZE, AT(limits.bytes_per_s), .min = 0, .max = GIB, .def = "0", RELOAD,
     .help = "bytes from one agent connection in a second; 0: no limit"},

    {"timeouts.connect", CONF_DURATION, AT(timeouts.connect_ms), .min = 10, .max = 5 * MIN, .def = "5s", RELOAD,
     .help = "until the backend has accepted a connection"},
    {"timeouts.handshake", CONF_DURATION, AT(timeouts.handshake_ms), .min = 10, .max = 5 * MIN, .def = "10s", RELOAD,
     .help = "until a client has finished TLS and its first request's head"},
    {"timeouts.request", CONF_DURATION, AT(timeouts.request_ms), .min = 100, .max = HOUR, .def = "60s", RELOAD,
     .help = "until the backend has begun to answer a request"},
    {"timeouts.idle", CONF_DURATION, AT(timeouts.idle_ms), .min = SEC, .max = DAY, .def = "10m", RELOAD,
     .help = "an HTTP connection without a byte for so long is closed"},
    {"timeouts.websocket_idle", CONF_DURATION, AT(timeouts.websocket_idle_ms), .min = 0, .max = 7 * DAY, .def = "1h", RELOAD,
     .help = "a WebSocket without a byte for so long is closed; 0: never"},
    {"timeouts.drain", CONF_DURATION, AT(timeouts.drain_ms), .min = 0, .max = HOUR, .def = "20s", RELOAD,
     .help = "over how long sessions are closed at shutdown"},

    {"redis.enabled", CONF_BOOL, AT(redis.is_on), .def = "true",
     .help = "track in Redis; without it nothing is measured or followed up"},
    {"redis.address", CONF_CONNECT, AT(redis.addr), .def = "127.0.0.1:6379",
     .help = "the Redis server"},
    {"redis.sentinel.master", CONF_NAME, AT(redis.sentinel.master),
     .help = "instead of an address: name under which the Sentinels watch the master"},
    {"redis.sentinel.addresses", CONF_CONNECTS, AT(redis.sentinel.addr), COUNT(redis.sentinel.n), .max = 16, .def = "[]",
     .help = "the Sentinels; the first that answers is asked"},
    {"redis.sentinel.username", CONF_TEXT, AT(redis.sentinel.username),
     .help = "ACL user of the Sentinels themselves"},
    {"redis.sentinel.password_file", CONF_PATH, AT(redis.sentinel.password_file),
     .help = "file with the Sentinels' password in its first line"},
    {"redis.cluster.addresses", CONF_CONNECTS, AT(redis.cluster.addr), COUNT(redis.cluster.n), .max = 64, .def = "[]",
     .help = "instead of an address: some nodes of a Redis Cluster; the others are learned"},
    {"redis.username", CONF_TEXT, AT(redis.username),
     .help = "ACL user; default: Redis' own default user"},
    {"redis.password_file", CONF_PATH, AT(redis.password_file),
     .help = "file with the password in its first line"},
    {"redis.tls.enabled", CONF_BOOL, AT(redis.tls.is_on), .def = "false",
     .help = "speak TLS to Redis"},
    {"redis.tls.ca", CONF_PATH, AT(redis.tls.ca),
     .help = "PEM file of trusted authorities; default: the system's"},
    {"redis.tls.verify", CONF_BOOL, AT(redis.tls.verify), .def = "true",
     .help = "verify the server's certificate and name"},
    {"redis.tls.server_name", CONF_TEXT, AT(redis.tls.server_name),
     .help = "name to send and to verify; default: the host of the address"},
    {"redis.shards", CONF_INT, AT(redis.shards), .min = 1, .max = 1024, .def = "16",
     .help = "parts of the state; fixed at the first start, equal on all nodes"},
    {"redis.wait_replicas", CONF_INT, AT(redis.wait_replicas), .min = 0, .max = 16, .def = "0", RELOAD,
     .help = "replicas that must confirm an event before its record may be overwritten"},
    {"redis.keep", CONF_DURATION, AT(redis.keep_ms), .min = 0, .max = HOUR, .def = "10s",
     .help = "without replicas: how long a confirmed record is kept"},
    {"redis.timeout", CONF_DURATION, AT(redis.timeout_ms), .min = 100, .max = 5 * MIN, .def = "5s",
     .help = "a Redis that does not answer for so long is connected anew"},

    {"ring.dir", CONF_PATH, AT(ring.dir), .def = "/var/lib/chatgate",
     .help = "folder of the journal, on a local file system"},
    {"ring.size", CONF_SIZE, AT(ring.size_bytes), .min = MIB, .max = 64 * GIB, .def = "64M",
     .help = "journal of one worker; how long Redis may be away depends on it"},

    {"violations.keep_text", CONF_BOOL, AT(violations.is_kept), .def = "true", RELOAD,
     .help = "keep in Redis what stood around a rule's hit, at most 400 bytes, for the dashboard's Violations page"},
    {"violations.text", CONF_MASKING, AT(violations.is_full), .def = "masked", RELOAD,
     .help = "masked: numbers, account names and ids are unreadable; full: as it was sent as well, shown by role and audited"},

    {"capture.enabled", CONF_BOOL, AT(capture.is_on), .def = "false", RELOAD,
     .help = "keep messages with their verdicts in files, for `chatgate replay`"},
    {"capture.dir", CONF_PATH, AT(capture.dir), .def = "/var/lib/chatgate/capture", RELOAD,
     .help = "folder of these files; made with mode 0700, the files have 0600"},
    {"capture.text", CONF_MASKING, AT(capture.is_full), .def = "masked", RELOAD,
     .help = "masked: numbers, account names and ids are made unreadable; full: as they were sent"},
    {"capture.max_bytes", CONF_SIZE, AT(capture.max_bytes), .min = 64 * KIB, .max = 16 * GIB, .def = "64M", RELOAD,
     .help = "a file of this size is followed by a new one"},
    {"capture.keep", CONF_INT, AT(capture.keep), .min = 1, .max = 1000, .def = "10", RELOAD,
     .help = "files kept, the newest; older ones of this node are deleted"},
    {"capture.sample", CONF_INT, AT(capture.sample), .min = 1, .max = 1000000, .def = "1", RELOAD,
     .help = "one of so many conversations is captured, whole; 1: all"},

    {"transcripts.enabled", CONF_BOOL, AT(transcripts.is_on), .def = "false", RELOAD,
     .help = "keep what was said in Redis, for the evidence around a case"},
    {"transcripts.text", CONF_MASKING, AT(transcripts.is_full), .def = "masked", RELOAD,
     .help = "masked: numbers, account names and ids are made unreadable; full: as they were sent"},
    {"transcripts.keep", CONF_DURATION, AT(transcripts.keep_ms), .min = HOUR, .max = 3650 * DAY, .def = "30d", RELOAD,
     .help = "how long after the last message of a piece of conversation it is kept"},
    {"evidence.key", CONF_PATH, AT(evidence.key),
     .help = "private key of `chatgate keygen`; the heads of transcripts are signed with it; default: they are not"},
    {"evidence.seal_every", CONF_DURATION, AT(evidence.seal_every_ms), .min = SEC, .max = HOUR, .def = "1m",
     .help = "how often what is new in the transcripts is signed"},

    {"privacy.pseudonyms", CONF_BOOL, AT(privacy.is_pseudonymous), .def = "false",
     .help = "customers and conversations stand in Redis under keyed pseudonyms"},
    {"privacy.key", CONF_PATH, AT(privacy.key),
     .help = "file with the secret of the pseudonyms in its first line, equal on all nodes"},
    {"privacy.keep_cases", CONF_DURATION, AT(privacy.keep_cases_ms), .min = 0, .max = 90 * DAY, .def = "90d", RELOAD,
     .help = "how long a case is kept after its end; 0: as long as there is room"},
    {"privacy.keep_words", CONF_DURATION, AT(privacy.keep_words_ms), .min = 0, .max = 90 * DAY, .def = "0", RELOAD,
     .help = "how long the customer's words stay in a case after its end; 0: as long as the case"},
    {"privacy.keep_events", CONF_DURATION, AT(privacy.keep_events_ms), .min = 0, .max = 3650 * DAY, .def = "0", RELOAD,
     .help = "how long events stay in the streams; 0: as long as there is room"},

    {"hold.ttl", CONF_DURATION, AT(hold.ttl_ms), .min = 10 * SEC, .max = 7 * DAY, .def = "30m", RELOAD,
     .help = "how long a message that a rule holds waits for a decision"},
    {"hold.on_expiry", CONF_EXPIRY, AT(hold.is_sent_on_expiry), .def = "refuse", RELOAD,
     .help = "what becomes of it when nobody decided"},
    {"hold.send_within", CONF_DURATION, AT(hold.send_within_ms), .min = SEC, .max = DAY, .def = "10m", RELOAD,
     .help = "how long an approved message waits for a session of its agent"},
    {"hold.keep", CONF_DURATION, AT(hold.keep_ms), .min = 0, .max = 90 * DAY, .def = "1d", RELOAD,
     .help = "how long held messages are kept after their end"},

    {"reminders.unanswered", CONF_LIST, AT(reminders.unanswered), COUNT(reminders.n_unanswered),
     .item_bytes = sizeof(struct conf_reminder_step), .max = 16,
     .def = "[{after: 60s, to: agent}, {after: 180s, to: supervisor}]", RELOAD,
     .help = "steps while a customer waits for an answer"},
    {"reminders.unanswered[].after", CONF_DURATION, STEP_AT(after_ms), .min = SEC, .max = 30 * DAY, REQUIRED, RELOAD,
     .help = "how long the customer has waited"},
    {"reminders.unanswered[].to", CONF_TARGET, STEP_AT(to_supervisor), .def = "agent", RELOAD,
     .help = "who is reminded"},
    {"reminders.stale_case", CONF_LIST, AT(reminders.stale_case), COUNT(reminders.n_stale_case),
     .item_bytes = sizeof(struct conf_reminder_step), .max = 16,
     .def = "[{after: 4h, to: agent}, {after: 24h, to: supervisor}]", RELOAD,
     .help = "steps while an open case has no news"},
    {"reminders.stale_case[].after", CONF_DURATION, STEP_AT(after_ms), .min = SEC, .max = 90 * DAY, REQUIRED, RELOAD,
     .help = "how long the case has had no news"},
    {"reminders.stale_case[].to", CONF_TARGET, STEP_AT(to_supervisor), .def = "agent", RELOAD,
     .help = "who is reminded"},
    {"reminders.commitment_before", CONF_DURATION, AT(reminders.commitment_before_ms), .min = 0, .max = DAY, .def = "10m", RELOAD,
     .help = "how long before a promised time the agent is reminded"},
    {"reminders.commitment", CONF_LIST, AT(reminders.commitment), COUNT(reminders.n_commitment),
     .item_bytes = sizeof(struct conf_reminder_step), .max = 16,
     .def = "[{after: 0, to: supervisor}]", RELOAD,
     .help = "steps from a promised time on"},
    {"reminders.commitment[].after", CONF_DURATION, STEP_AT(after_ms), .min = 0, .max = 90 * DAY, REQUIRED, RELOAD,
     .help = "how long the promise has been broken"},
    {"reminders.commitment[].to", CONF_TARGET, STEP_AT(to_supervisor), .def = "agent", RELOAD,
     .help = "who is reminded"},
    {"reminders.cold_case", CONF_LIST, AT(reminders.cold_case), COUNT(reminders.n_cold_case),
     .item_bytes = sizeof(struct conf_reminder_step), .max = 16,
     .def = "[{after: 12h, to: agent}, {after: 48h, to: supervisor}]", RELOAD,
     .help = "steps while things happen in an open case and its customer is not told"},
    {"reminders.cold_case[].after", CONF_DURATION, STEP_AT(after_ms), .min = 0, .max = 90 * DAY, REQUIRED, RELOAD,
     .help = "how long the customer has heard nothing"},
    {"reminders.cold_case[].to", CONF_TARGET, STEP_AT(to_supervisor), .def = "agent", RELOAD,
     .help = "who is reminded"},
    {"reminders.review", CONF_LIST, AT(reminders.review), COUNT(reminders.n_review),
     .item_bytes = sizeof(struct conf_reminder_step), .max = 16,
     .def = "[{after: 30m, to: agent}, {after: 4h, to: supervisor}, {after: 24h, to: agent, do: call}, {after: 48h, to: supervisor, do: call}]", RELOAD,
     .help = "steps of a case about a review, instead of stale_case until the customer answers"},
    {"reminders.review[].after", CONF_DURATION, STEP_AT(after_ms), .min = 0, .max = 90 * DAY, REQUIRED, RELOAD,
     .help = "chat: since the case was opened; call: how long the agent's message has had no answer"},
    {"reminders.review[].to", CONF_TARGET, STEP_AT(to_supervisor), .def = "agent", RELOAD,
     .help = "who is reminded"},
    {"reminders.review[].do", CONF_CHANNEL, STEP_AT(is_call), .def = "chat", RELOAD,
     .help = "how the customer is to be reached; calls only behind a message without an answer, at most two in 24 hours"},
    {"reminders.follow_up", CONF_LIST, AT(reminders.follow_up), COUNT(reminders.n_follow_up),
     .item_bytes = sizeof(struct conf_reminder_step), .max = 16,
     .def = "[{after: 3d, to: agent}]", RELOAD,
     .help = "steps of the visit after a case was solved, unless the customer was asked meanwhile"},
    {"reminders.follow_up[].after", CONF_DURATION, STEP_AT(after_ms), .min = 0, .max = 90 * DAY, REQUIRED, RELOAD,
     .help = "how long the case has been solved"},
    {"reminders.follow_up[].to", CONF_TARGET, STEP_AT(to_supervisor), .def = "agent", RELOAD,
     .help = "who is reminded"},
    {"reminders.quiet.hours", CONF_TEXTS, AT(reminders.quiet.hours), COUNT(reminders.quiet.n_hours), .max = 8, .def = "[]", RELOAD,
     .help = "spans like 22:00-08:00 in which reminders wait; those about cases of severity 4 do not"},
    {"reminders.quiet.time_zone", CONF_TEXT, AT(reminders.quiet.time_zone), .def = "Asia/Shanghai", RELOAD,
     .help = "zone of these spans"},
    {"reminders.quiet.shops", CONF_LIST, AT(reminders.quiet.shop), COUNT(reminders.quiet.n_shops),
     .item_bytes = sizeof(struct conf_quiet_shop), .max = 1000, .def = "[]", RELOAD,
     .help = "shops with spans of their own"},
    {"reminders.quiet.shops[].shop", CONF_TEXT, QUIET_AT(shop), REQUIRED, RELOAD,
     .help = "the shop, as the directory calls it"},
    {"reminders.quiet.shops[].hours", CONF_TEXTS, QUIET_AT(hours), .count_offset = offsetof(struct conf_quiet_shop, n_hours),
     .max = 8, .def = "[]", RELOAD,
     .help = "its spans; none: it has no quiet hours"},
    {"reminders.lease", CONF_DURATION, AT(reminders.lease_ms), .min = SEC, .max = 5 * MIN, .def = "10s", RELOAD,
     .help = "what a node that stops in the middle of a reminder left is taken over after so long"},

    {"webhooks.allow_hosts", CONF_TEXTS, AT(webhooks.allow_hosts), COUNT(webhooks.n_allow_hosts), .max = 256,
     .def = "[oapi.dingtalk.com, qyapi.weixin.qq.com, open.feishu.cn, open.larksuite.com]", RELOAD,
     .help = "hosts that webhooks may go to; `.example.com` means all below it"},
    {"webhooks.allow_networks", CONF_CIDRS, AT(webhooks.allow_networks), COUNT(webhooks.n_allow_networks), .max = 64,
     .def = "[]", RELOAD,
     .help = "private networks in which such a host may lie; without an entry only public addresses are connected to"},
    {"webhooks.retry_for", CONF_DURATION, AT(webhooks.retry_for_ms), .min = MIN, .max = 2 * DAY, .def = "24h", RELOAD,
     .help = "how long a delivery is tried again until it is given up"},
    {"webhooks.targets", CONF_LIST, AT(webhooks.target), COUNT(webhooks.n_targets),
     .item_bytes = sizeof(struct conf_webhook), .max = 16, .def = "[]", RELOAD,
     .help = "who is told of reminders and cases"},
    {"webhooks.targets[].name", CONF_NAME, HOOK_AT(name), REQUIRED, RELOAD,
     .help = "for logs, metrics and Redis"},
    {"webhooks.targets[].kind", CONF_HOOK, HOOK_AT(kind), .def = "generic", RELOAD,
     .help = "what the receiver understands"},
    {"webhooks.targets[].url", CONF_TEXT, HOOK_AT(url), RELOAD,
     .help = "where to post; https, or http to an address of allow_networks"},
    {"webhooks.targets[].url_file", CONF_PATH, HOOK_AT(url_file), RELOAD,
     .help = "file with the URL in its first line, since robots carry their token in it"},
    {"webhooks.targets[].secret_file", CONF_PATH, HOOK_AT(secret_file), RELOAD,
     .help = "file with the key of the signature in its first line"},
    {"webhooks.targets[].events", CONF_TEXTS, HOOK_AT(events), .count_offset = offsetof(struct conf_webhook, n_events),
     .min = 1, .max = 2, .def = "[reminder, case]", RELOAD,
     .help = "reminder, case"},
    {"webhooks.targets[].min_severity", CONF_INT, HOOK_AT(min_severity), .min = 1, .max = 4, .def = "1", RELOAD,
     .help = "the least severe event that is sent: a case's own severity, a reminder for an agent 1, for a supervisor 2"},
    {"webhooks.targets[].shops", CONF_TEXTS, HOOK_AT(shops), .count_offset = offsetof(struct conf_webhook, n_shops),
     .max = 1000, .def = "[]", RELOAD,
     .help = "only events of these shops; none: all"},
    {"webhooks.targets[].timeout", CONF_DURATION, HOOK_AT(timeout_ms), .min = 100, .max = MIN, .def = "10s", RELOAD,
     .help = "a delivery without an answer for so long has failed"},
    {"webhooks.targets[].per_minute", CONF_INT, HOOK_AT(per_minute), .min = 0, .max = 6000, .def = "0", RELOAD,
     .help = "deliveries in any minute, of all gateways together; 0: 20 to dingtalk and wecom, 100 to feishu, 600 to generic"},
    {"webhooks.targets[].ca", CONF_PATH, HOOK_AT(ca), RELOAD,
     .help = "PEM file of trusted authorities; default: the system's"},
};
/* clang-format on */

const struct conf_key *conf_table(size_t *n)
{
    *n = ARRAY_LEN(keys);
    return keys;
}

const struct conf_key *conf_table_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

static const char *duration_text(int64_t ms, char out[32])
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{DAY, "d"}, {HOUR, "h"}, {MIN, "m"}, {SEC, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms && ms % units[i].ms)
        i++;
    snprintf(out, 32, "%lld%s", (long long)(ms / units[i].ms), ms ? units[i].unit : "");
    return out;
}

static const char *size_text(int64_t n, char out[32])
{
    static const struct {
        int64_t n;
        const char *unit;
    } units[] = {{GIB, "G"}, {MIB, "M"}, {KIB, "k"}, {1, ""}};
    size_t i = 0;
    while (n && n % units[i].n)
        i++;
    snprintf(out, 32, "%lld%s", (long long)(n / units[i].n), n ? units[i].unit : "");
    return out;
}

const char *conf_table_allowed(const struct conf_key *k, char *out, size_t cap)
{
    char a[32], b[32];
    out[0] = '\0';
    switch (k->type) {
    case CONF_INT:
        snprintf(out, cap, "%lld to %lld", (long long)k->min, (long long)k->max);
        break;
    case CONF_DURATION:
        snprintf(out, cap, "%s to %s", duration_text(k->min, a), duration_text(k->max, b));
        break;
    case CONF_SIZE:
        snprintf(out, cap, "%s to %s", size_text(k->min, a), size_text(k->max, b));
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
        [CONF_CHANNEL] = "word",        [CONF_EXPIRY] = "word",
    };
    return names[k->type];
}
