#include "conf/conf_value.h"

#include "conf/conf_addr.h"

static const char *const log_levels[] = {
#define X(id, name) name,
    LOG_LEVELS(X)
#undef X
        NULL};
static const char *const presets[] = {"strict", "standard", "lenient", NULL};
static const char *const policies[] = {"pass", "block", NULL};
static const char *const agent_words[] = {"pass", "refuse", NULL};
static const char *const targets[] = {"agent", "supervisor", NULL};
static const char *const channels[] = {"chat", "call", NULL};
static const char *const hook_kinds[] = {
#define X(id, name) name,
    WEBHOOK_KINDS(X)
#undef X
        NULL};
static const char *const maskings[] = {"masked", "full", NULL};
static const char *const expiries[] = {"refuse", "send", NULL};

enum { TEXT_MAX = 4096, NAME_MAX_LEN = 64 };

#define FIELD(type, base, off)       ((type *)(void *)((char *)(base) + (off)))
#define CONST_FIELD(type, base, off) ((const type *)(const void *)((const char *)(base) + (off)))

static int refuse(struct conf_reader *r, const struct conf_key *k, const struct ynode *at, const char *why)
{
    yaml_bad(r->errs, at, "%s: is %s, %s", k->name, yaml_describe(at), why);
    return -1;
}

static int read_text(struct conf_reader *r, const struct conf_key *k, const struct ynode *at, const char **text)
{
    if (yaml_str(at, k->name, text, r->errs))
        return -1;
    if (!**text)
        return refuse(r, k, at, "must not be empty; leave the key out for its default");
    if (strlen(*text) > TEXT_MAX)
        return refuse(r, k, at, "must be at most 4096 bytes long");
    return 0;
}

static int read_path(struct conf_reader *r, const struct conf_key *k, const struct ynode *at, char **out)
{
    const char *text;
    if (read_text(r, k, at, &text))
        return -1;
    if (strncmp(text, "$DATA/", 6) == 0)
        *out = conf_path(r->arena, r->data_dir, text + 6);
    else
        *out = conf_path(r->arena, r->dir, text);
    return 0;
}

static int read_name(struct conf_reader *r, const struct conf_key *k, const struct ynode *at, char **out)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *text;
    if (read_text(r, k, at, &text))
        return -1;
    size_t n = strlen(text);
    if (n > NAME_MAX_LEN || strspn(text, allowed) != n || text[0] == '.')
        return refuse(r, k, at,
                      "must be 1 to 64 letters, digits, dots, dashes and underscores, not starting with a dot");
    *out = arena_strdup(r->arena, span_str(text));
    return 0;
}

static int read_addr(struct conf_reader *r, const struct conf_key *k, const struct ynode *at, struct conf_addr *out)
{
    const char *text, *why = "";
    bool is_listen = k->type == CONF_LISTEN, is_optional = k->def && strcmp(k->def, "none") == 0;
    if (read_text(r, k, at, &text))
        return -1;
    *out = (struct conf_addr){0};
    if (is_optional && strcmp(text, "none") == 0)
        return 0;
    if (is_listen && !is_optional && strcmp(text, "systemd") == 0) {
        out->text = arena_strdup(r->arena, span_str(text));
        return 0;
    }
    if (conf_addr_parse(text, is_listen ? 0 : 1, r->dir, r->arena, out, &why) == 0)
        return 0;
    yaml_bad(r->errs, at, "%s: is %s, which %s; must be HOST:PORT, [IPv6]:PORT%s or unix:PATH", k->name,
             yaml_describe(at), why,
             !is_listen    ? ""
             : is_optional ? ", none"
                           : ", systemd");
    return -1;
}

static int read_cidr(struct conf_reader *r, const struct conf_key *k, const struct ynode *at, struct conf_cidr *out)
{
    const char *text, *why = "";
    if (read_text(r, k, at, &text))
        return -1;
    if (conf_cidr_parse(text, out, &why) == 0)
        return 0;
    yaml_bad(r->errs, at, "%s: is %s, which %s; must be ADDRESS or ADDRESS/PREFIX", k->name, yaml_describe(at), why);
    return -1;
}

static int read_list(struct conf_reader *r, const struct conf_key *k, const struct ynode *at, void *base)
{
    size_t item = k->type == CONF_CONNECTS ? sizeof(struct conf_addr)
                  : k->type == CONF_CIDRS  ? sizeof(struct conf_cidr)
                                           : sizeof(char *);
    if (at->kind != YNODE_SEQ || at->n < (size_t)k->min || at->n > (size_t)k->max) {
        yaml_bad(r->errs, at, "%s: is %s%s, must be a list of %lld to %lld entries", k->name, yaml_describe(at),
                 at->kind == YNODE_SEQ ? " of another length" : "", (long long)k->min, (long long)k->max);
        return -1;
    }
    char *list = arena_alloc(r->arena, at->n * item + 1);
    int result = 0;
    for (size_t i = 0; i < at->n; i++) {
        char *slot = list + i * item;
        const char *text;
        if (k->type == CONF_CONNECTS)
            result |= read_addr(r, k, at->value[i], FIELD(struct conf_addr, slot, 0));
        else if (k->type == CONF_CIDRS)
            result |= read_cidr(r, k, at->value[i], FIELD(struct conf_cidr, slot, 0));
        else if (k->type == CONF_PATHS)
            result |= read_path(r, k, at->value[i], FIELD(char *, slot, 0));
        else if (read_text(r, k, at->value[i], &text) == 0)
            *FIELD(char *, slot, 0) = arena_strdup(r->arena, span_str(text));
        else
            result = -1;
    }
    *FIELD(void *, base, k->offset) = list;
    *FIELD(size_t, base, k->count_offset) = result ? 0 : at->n;
    return result;
}

static int read_word(struct conf_reader *r, const struct conf_key *k, const struct ynode *at, void *field)
{
    int i = 0;
    const char *const *words = k->type == CONF_LOG_LEVEL ? log_levels
                               : k->type == CONF_PRESET  ? presets
                               : k->type == CONF_POLICY  ? policies
                               : k->type == CONF_AGENT   ? agent_words
                               : k->type == CONF_MASKING ? maskings
                               : k->type == CONF_CHANNEL ? channels
                               : k->type == CONF_HOOK    ? hook_kinds
                               : k->type == CONF_EXPIRY  ? expiries
                               : k->type == CONF_WORD    ? k->words
                                                         : targets;
    if (yaml_enum(at, k->name, words, &i, r->errs))
        return -1;
    if (k->type == CONF_LOG_LEVEL)
        *(enum log_level *)field = (enum log_level)i;
    else if (k->type == CONF_HOOK)
        *(enum webhook_kind *)field = (enum webhook_kind)i;
    else if (k->type == CONF_POLICY)
        *(enum policy *)field = i == 0 ? POLICY_PASS : POLICY_BLOCK;
    else if (k->type == CONF_PRESET)
        *(char **)field = arena_strdup(r->arena, span_str(presets[i]));
    else if (k->type == CONF_WORD)
        *(int *)field = i + 1;
    else
        *(bool *)field = i == 1;
    return 0;
}

int conf_value_read(struct conf_reader *r, const struct conf_key *k, const struct ynode *at, void *base)
{
    void *field = FIELD(void, base, k->offset);
    const char *text;
    switch (k->type) {
    case CONF_TEXT:
        if (read_text(r, k, at, &text))
            return -1;
        *(char **)field = arena_strdup(r->arena, span_str(text));
        return 0;
    case CONF_NAME:
        return read_name(r, k, at, field);
    case CONF_PATH:
        return read_path(r, k, at, field);
    case CONF_INT:
        return yaml_int(at, k->name, k->min, k->max, field, r->errs);
    case CONF_BOOL:
        return yaml_bool(at, k->name, field, r->errs);
    case CONF_DURATION:
        return yaml_duration(at, k->name, k->min, k->max, field, r->errs);
    case CONF_SIZE:
        return yaml_size(at, k->name, k->min, k->max, field, r->errs);
    case CONF_LOG_LEVEL:
    case CONF_PRESET:
    case CONF_POLICY:
    case CONF_AGENT:
    case CONF_TARGET:
    case CONF_MASKING:
    case CONF_CHANNEL:
    case CONF_HOOK:
    case CONF_EXPIRY:
    case CONF_WORD:
        return read_word(r, k, at, field);
    case CONF_LISTEN:
    case CONF_CONNECT:
        return read_addr(r, k, at, field);
    case CONF_CONNECTS:
    case CONF_TEXTS:
    case CONF_PATHS:
    case CONF_CIDRS:
        return read_list(r, k, at, base);
    case CONF_LIST:
        break;
    }
    abort(); /* lists are the walker's */
}

static void print_addr(struct buf *out, const struct conf_addr *a)
{
    /* the path too: the same relative path in another folder is another socket */
    buf_printf(out, "%s%s%s", a->text ? a->text : "none", a->path ? "=" : "", a->path ? a->path : "");
}

static void print_list(struct buf *out, const struct conf_key *k, const void *base)
{
    size_t n = *CONST_FIELD(size_t, base, k->count_offset);
    const void *list = *CONST_FIELD(void *, base, k->offset);
    for (size_t i = 0; i < n; i++) {
        buf_append_str(out, i ? ", " : "");
        if (k->type == CONF_CONNECTS) {
            print_addr(out, CONST_FIELD(struct conf_addr, list, 0) + i);
        } else if (k->type == CONF_CIDRS) {
            const struct conf_cidr *c = CONST_FIELD(struct conf_cidr, list, 0) + i;
            for (size_t b = 0; b < sizeof(c->addr); b++)
                buf_printf(out, "%02x", c->addr[b]);
            buf_printf(out, "/%u", c->bits);
        } else {
            buf_append_str(out, CONST_FIELD(char *, list, 0)[i]);
        }
    }
}

void conf_value_print(struct buf *out, const struct conf_key *k, const void *base)
{
    const void *field = CONST_FIELD(void, base, k->offset);
    switch (k->type) {
    case CONF_TEXT:
    case CONF_NAME:
    case CONF_PATH:
    case CONF_PRESET:
        buf_append_str(out, *(char *const *)field ? *(char *const *)field : "");
        return;
    case CONF_INT:
    case CONF_DURATION:
    case CONF_SIZE:
        buf_printf(out, "%lld", (long long)*(const int64_t *)field);
        return;
    case CONF_LOG_LEVEL:
        buf_append_str(out, log_levels[*(const enum log_level *)field]);
        return;
    case CONF_HOOK:
        buf_append_str(out, hook_kinds[*(const enum webhook_kind *)field]);
        return;
    case CONF_WORD:
        buf_append_str(out, *(const int *)field ? k->words[*(const int *)field - 1] : "");
        return;
    case CONF_POLICY:
        buf_append_str(out, *(const enum policy *)field == POLICY_PASS ? "pass" : "block");
        return;
    case CONF_BOOL:
    case CONF_AGENT:
    case CONF_TARGET:
    case CONF_MASKING:
    case CONF_CHANNEL:
    case CONF_EXPIRY:
        buf_append_str(out, *(const bool *)field ? "true" : "false");
        return;
    case CONF_LISTEN:
    case CONF_CONNECT:
        print_addr(out, field);
        return;
    case CONF_LIST:
        buf_printf(out, "%zu", *CONST_FIELD(size_t, base, k->count_offset));
        return;
    case CONF_CONNECTS:
    case CONF_TEXTS:
    case CONF_PATHS:
    case CONF_CIDRS:
        print_list(out, k, base);
        return;
    }
}
