#include "board/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "base/zone.h"
#include "conf/conf_addr.h"
#include "conf/conf_check.h"
#include "conf/conf_read.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, NAME_MAX_BYTES = 100 };
#define DAY ((int64_t)24 * HOUR)

#define AT(member)    .offset = offsetof(struct settings, member)
#define COUNT(member) .count_offset = offsetof(struct settings, member)

/* clang-format off */
static const struct conf_key keys[] = {
    {"log_level", CONF_LOG_LEVEL, AT(log_level), .def = "info", .help = "least important lines that are logged"},
    {"listen", CONF_LISTEN, AT(listen), .def = "127.0.0.1:8090", .help = "where browsers connect"},
    {"metrics", CONF_LISTEN, AT(metrics), .def = "none", .help = "address of /metrics, /healthz and /readyz for Prometheus, or none; it has no login"},
    {"tls.certificate", CONF_PATH, AT(tls.certificate), .help = "PEM file with the certificate and its chain; turns TLS on"},
    {"tls.key", CONF_PATH, AT(tls.key), .help = "PEM file with the private key"},
    {"cookie_secure", CONF_BOOL, AT(cookie_secure), .def = "true",
     .help = "the session's cookie travels over TLS only (the board's own, or that of a proxy in front of it); false: trials without TLS"},
    {"users", CONF_PATH, AT(users), .def = "/etc/chatgate/board.users", .help = "who may log in; written by `chatgate-board passwd`"},
    {"tokens", CONF_PATH, AT(tokens), .def = "/etc/chatgate/board.tokens", .help = "API tokens; written by `chatgate-board token`; may be missing"},
    {"timezone", CONF_TEXT, AT(timezone), .help = "where a day begins, and of the times on the pages, for example Asia/Shanghai; default: the gateways' tracking.zone, else the system's"},
    {"privacy.key", CONF_PATH, AT(privacy_key), .help = "where the gateways have privacy.pseudonyms: their privacy.key, so that a case can be opened for a customer's own id"},
    {"redis.address", CONF_CONNECT, AT(redis.addr), .def = "127.0.0.1:6379", .help = "the Redis of the gateways"},
    {"redis.sentinel.master", CONF_NAME, AT(redis.sentinel.master), .help = "instead of an address: name under which the Sentinels watch the master"},
    {"redis.sentinel.addresses", CONF_CONNECTS, AT(redis.sentinel.addr), COUNT(redis.sentinel.n), .max = 16, .def = "[]", .help = "the Sentinels"},
    {"redis.sentinel.username", CONF_TEXT, AT(redis.sentinel.username), .help = "ACL user of the Sentinels themselves"},
    {"redis.sentinel.password_file", CONF_PATH, AT(redis.sentinel.password_file), .help = "file with the Sentinels' password in its first line"},
    {"redis.cluster.addresses", CONF_CONNECTS, AT(redis.cluster.addr), COUNT(redis.cluster.n), .max = 64, .def = "[]",
     .help = "instead of an address: some nodes of a Redis Cluster"},
    {"redis.username", CONF_TEXT, AT(redis.username), .help = "ACL user"},
    {"redis.password_file", CONF_PATH, AT(redis.password_file), .help = "file with the password in its first line"},
    {"redis.tls.enabled", CONF_BOOL, AT(redis.tls.is_on), .def = "false", .help = "speak TLS to Redis"},
    {"redis.tls.ca", CONF_PATH, AT(redis.tls.ca), .help = "PEM file of trusted authorities; default: the system's"},
    {"redis.tls.verify", CONF_BOOL, AT(redis.tls.verify), .def = "true", .help = "verify the certificate and name of Redis"},
    {"redis.tls.server_name", CONF_TEXT, AT(redis.tls.server_name), .help = "name to verify; default: the host of the address"},
    {"redis.timeout", CONF_DURATION, AT(redis.timeout_ms), .min = 100, .max = 5 * MINUTE, .def = "5s", .help = "to connect, and for any answer"},
    {"waiting.amber", CONF_DURATION, AT(amber_ms), .min = SECOND, .max = DAY, .def = "30s", .help = "a customer who waits so long is amber"},
    {"waiting.red", CONF_DURATION, AT(red_ms), .min = SECOND, .max = DAY, .def = "3m", .help = "a customer who waits so long is red"},
    {"conversation_open", CONF_DURATION, AT(open_ms), .min = MINUTE, .max = DAY, .def = "30m",
     .help = "a conversation counts as open until so long after its last message"},
    {"login.idle", CONF_DURATION, AT(idle_ms), .min = SECOND, .max = 7 * DAY, .def = "12h", .help = "a login that is not used for so long ends"},
    {"login.life", CONF_DURATION, AT(life_ms), .min = SECOND, .max = 30 * DAY, .def = "7d", .help = "a login ends after so long in any case"},
    {"login.tries", CONF_INT, AT(lock_tries), .min = 1, .max = 100, .def = "5", .help = "failed logins of a name until it is locked"},
    {"login.lock", CONF_DURATION, AT(lock_ms), .min = SECOND, .max = DAY, .def = "15m", .help = "how long a name stays locked"},
    {"streams", CONF_INT, AT(streams), .min = 1, .max = 2000, .def = "300", .help = "pages with live updates at the same time"},
};
/* clang-format on */

static bool is_section(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (strncmp(keys[i].name, name, n) == 0 && keys[i].name[n] == '.')
            return true;
    return false;
}

static bool is_key(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (strcmp(keys[i].name, name) == 0)
            return true;
    return false;
}

static void check_names(struct conf_reader *r, const char *prefix, const struct ynode *map)
{
    char name[NAME_MAX_BYTES];
    for (size_t i = 0; i < map->n; i++) {
        const struct ynode *value = map->value[i];
        int len = snprintf(name, sizeof(name) - 1, "%s%s", prefix, map->key[i]->text);
        if (len < (int)sizeof(name) - 1 && !strchr(map->key[i]->text, '.')) {
            if (is_key(name))
                continue;
            if (is_section(name) && value->kind == YNODE_MAP) {
                name[len] = '.';
                name[len + 1] = '\0';
                check_names(r, name, value);
                continue;
            }
        }
        yaml_bad(r->errs, map->key[i], "%s%.60s: unknown key; `chatgate-board --keys` lists them", prefix,
                 map->key[i]->text);
    }
}

static void read_keys(struct conf_reader *r, const struct ynode *root, struct settings *s)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct ynode *at = conf_read_find(root, keys[i].name);
        if (!at && keys[i].def)
            at = yaml_load_text("default", span_str(keys[i].def), r->scratch, r->errs);
        if (at && conf_value_read(r, &keys[i], at, s))
            continue; /* reported */
    }
}

/* A zone as POSIX writes it: "CST-8". */
static bool is_posix_zone(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    return n >= 3 && strspn(name + n + strspn(name + n, "+-"), "0123456789") > 0;
}

/* The C library takes what it does not know for UTC. */
static void check_zone(const struct settings *s, const struct ynode *root, struct err_list *errs)
{
    struct zone *z = NULL;
    struct err e;
    if (!s->timezone || is_posix_zone(s->timezone))
        return;
    if (zone_new(s->timezone, &z, &e) < 0)
        yaml_bad(errs, yaml_get(root, "timezone"), "timezone: %s, must be a name such as Asia/Shanghai or UTC", e.text);
    zone_free(&z);
}

const char *settings_zone_name(const struct settings *s, char out[SETTINGS_ZONE_MAX])
{
    char link[256], *name;
    out[0] = '\0';
    if (s->timezone) {
        if (!is_posix_zone(s->timezone))
            snprintf(out, SETTINGS_ZONE_MAX, "%s", s->timezone);
        return out;
    }
    ssize_t n = getenv("TZ") ? -1 : readlink("/etc/localtime", link, sizeof(link) - 1);
    if (n <= 0)
        return out;
    link[n] = '\0';
    name = strstr(link, "/zoneinfo/");
    if (name && strlen(name) - 10 < SETTINGS_ZONE_MAX)
        snprintf(out, SETTINGS_ZONE_MAX, "%s", name + 10);
    return out;
}

static void check_pairs(const struct settings *s, const struct ynode *root, struct err_list *errs)
{
    if (s->privacy_key && access(s->privacy_key, R_OK) != 0)
        yaml_bad(errs, conf_read_find(root, "privacy.key"), "privacy.key: \"%s\" cannot be read: %s", s->privacy_key,
                 strerror(errno));
    check_zone(s, root, errs);
    if (s->amber_ms >= s->red_ms)
        yaml_bad(errs, root, "waiting.red: must be longer than waiting.amber");
    if (!s->tls.certificate != !s->tls.key)
        yaml_bad(errs, root, "tls: certificate and key belong together, only one is given");
}

struct settings *settings_load(const char *path, struct err_list *errs)
{
    size_t before = errs->n;
    struct arena scratch = {0};
    const struct ynode *root = yaml_load_file(path, &scratch, errs);
    struct settings *s = xcalloc(1, sizeof(*s));
    if (root && root->kind == YNODE_MAP) {
        struct conf_reader r = {.arena = &s->arena,
                                .scratch = &scratch,
                                .dir = conf_folder_of(path, &s->arena),
                                .data_dir = "",
                                .errs = errs};
        check_names(&r, "", root);
        read_keys(&r, root, s);
        check_pairs(s, root, errs);
        conf_check_redis(&s->redis, root, errs);
        s->tls.is_on = s->tls.certificate != NULL;
    } else if (root) {
        yaml_bad(errs, root, "the file: is %s, must be a map of keys", yaml_describe(root));
    }
    arena_fini(&scratch);
    if (errs->n > before)
        settings_free(&s);
    return s;
}

void settings_free(struct settings **s)
{
    if (!*s)
        return;
    struct arena a = (*s)->arena;
    arena_fini(&a);
    free(*s);
    *s = NULL;
}

void settings_print_keys(void)
{
    char allowed[100];
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct conf_key *k = &keys[i];
        printf("%s (%s%s%s, default %s): %s\n", k->name, conf_table_type(k),
               *conf_table_allowed(k, allowed, sizeof(allowed)) ? ", " : "",
               conf_table_allowed(k, allowed, sizeof(allowed)), k->def ? k->def : "none", k->help);
    }
}
