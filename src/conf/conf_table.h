/* The key table: the one place that knows every key of the configuration. */
#pragma once

#include "conf/conf.h"

enum conf_type {
    CONF_TEXT,      /* char * */
    CONF_NAME,      /* char *: letters, digits, dot, dash, underscore */
    CONF_PATH,      /* char *: relative to the file's folder */
    CONF_INT,       /* int64_t */
    CONF_BOOL,      /* bool */
    CONF_DURATION,  /* int64_t, milliseconds */
    CONF_SIZE,      /* int64_t, bytes */
    CONF_LOG_LEVEL, /* enum log_level */
    CONF_PRESET,    /* char * */
    CONF_POLICY,    /* enum policy */
    CONF_AGENT,     /* bool: pass or refuse */
    CONF_TARGET,    /* bool: agent or supervisor */
    CONF_MASKING,   /* bool: masked or full */
    CONF_CHANNEL,   /* bool: chat or call */
    CONF_HOOK,      /* enum webhook_kind */
    CONF_EXPIRY,    /* bool: refuse or send */
    CONF_WORD,      /* int: number of the word in `words`, from 1; 0: not given */
    CONF_LISTEN,    /* struct conf_addr to listen on; "none" and "systemd" only where the key's help says so */
    CONF_CONNECT,   /* struct conf_addr to connect to */
    CONF_CONNECTS,  /* list of the above */
    CONF_TEXTS,     /* list of texts */
    CONF_PATHS,     /* list of paths */
    CONF_CIDRS,     /* list of struct conf_cidr */
    CONF_LIST,      /* list of maps; the keys of an item follow as NAME[].KEY */
};

struct conf_key {
    const char *name; /* dotted; "listeners[].name" is a key of the items of a list */
    enum conf_type type;
    size_t offset;            /* in struct conf, or in the item of the list */
    size_t count_offset;      /* lists: where their size_t is */
    size_t item_bytes;        /* CONF_LIST */
    int64_t min, max;         /* numbers; lists: of their length */
    const char *const *words; /* CONF_WORD: ended by NULL */
    const char *def;          /* default as YAML text; NULL: none */
    bool is_required;
    bool is_reloadable;
    const char *help;
};

const struct conf_key *conf_table(size_t *n);
/* The key of that name, or NULL. */
const struct conf_key *conf_table_find(const char *name);
/* What is allowed, in words ("a whole number from 1 to 256"). */
const char *conf_table_allowed(const struct conf_key *k, char *out, size_t cap);
/* "text", "duration", "list of addresses", … */
const char *conf_table_type(const struct conf_key *k);
