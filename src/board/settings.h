/* board.yaml: the key table of the dashboard, read with the value readers of src/conf. */
#pragma once

#include "base/arena.h"
#include "conf/conf.h"

enum { SETTINGS_ZONE_MAX = 64 };

struct settings {
    struct arena arena;               /* holds all texts below */
    struct conf_addr listen, metrics; /* metrics: text NULL: none */
    struct conf_tls tls;
    bool cookie_secure;
    char *users, *tokens, *timezone, *privacy_key;
    enum log_level log_level;
    struct conf_redis redis;
    int64_t amber_ms, red_ms; /* a customer waits so long: amber, red */
    int64_t open_ms;          /* a conversation without a message for so long no longer counts as open */
    int64_t idle_ms, life_ms; /* of a login */
    int64_t lock_tries, lock_ms;
    int64_t streams;
};

/* NULL: every problem was reported as `file:line:column: …`. */
struct settings *settings_load(const char *path, struct err_list *errs);
void settings_free(struct settings **s);
/* The zone in which days begin, as a name of the time zone database; "" when the system's has none of these. */
const char *settings_zone_name(const struct settings *s, char out[SETTINGS_ZONE_MAX]);
/* One line per key for `chatgate-board --keys`: name, type, default, help. */
void settings_print_keys(void);
