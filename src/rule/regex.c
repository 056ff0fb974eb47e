#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule/regex.h"

#include <pcre2.h>

#include "base/xalloc.h"

/* With JIT only the match limit and the JIT stack bind; depth and heap serve the interpreter (no JIT allowed here). */
enum {
    JIT_STACK_START = 32 << 10,
    JIT_STACK_MAX = 512 << 10,
    HEAP_LIMIT_KB = 4096,
    DEPTH_LIMIT = 5000,
    OVECTOR_PAIRS = 32
};

/* The match limit counts rounds of groups, afresh at every start; repeats of single characters (`\d*\d*\d*x`) are not
 * counted by JIT at all. So a pattern with two open repeats, and any pattern on a long text, runs in a second form with
 * a callout before every item, which counts the steps and the way gone between them. */
enum { FAST_TEXT_MAX = 2048, STEPS_MAX = 200000, WAY_PER_STEP = 32, OPEN_REPEAT_MIN = 16 };

struct regex {
    pcre2_code *fast, *guarded;
    bool is_risky, has_jit;
    int edit_group; /* 0: none */
};

struct regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *ctx;
    pcre2_jit_stack *stack;
    int64_t steps_left;
    size_t last_at;
};

static int on_callout(pcre2_callout_block *b, void *arg)
{
    struct regex_scratch *s = arg;
    size_t way = b->current_position > s->last_at ? b->current_position - s->last_at : s->last_at - b->current_position;
    s->last_at = b->current_position;
    s->steps_left -= 1 + (int64_t)(way / WAY_PER_STEP);
    return s->steps_left < 0 ? PCRE2_ERROR_MATCHLIMIT : 0;
}

/* How many repeats without a small bound the pattern has; an over-estimate (classes and escapes are not parsed). */
static unsigned open_repeats(const char *p)
{
    unsigned n = 0;
    for (; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '*' || *p == '+')
            n++;
        else if (*p == '{' && strchr(p, '}')) {
            const char *comma = strchr(p, ',');
            long max = comma && comma < strchr(p, '}') ? strtol(comma + 1, NULL, 10) : strtol(p + 1, NULL, 10);
            n += max == 0 || max > OPEN_REPEAT_MIN;
        }
    }
    return n;
}

static int edit_group_of(const pcre2_code *code)
{
    int n = pcre2_substring_number_from_name(code, (PCRE2_SPTR) "edit");
    return n > 0 && n < OVECTOR_PAIRS ? n : 0;
}

static bool has_jit(const pcre2_code *code)
{
    size_t bytes = 0;
    return pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &bytes) == 0 && bytes > 0;
}

static pcre2_code *compile(const char *pattern, uint32_t more, struct err *err)
{
    int code;
    size_t at;
    pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
    if (cc)
        pcre2_set_parens_nest_limit(cc, 50);
    pcre2_code *c =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                      more | PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_DUPNAMES, &code, &at, cc);
    pcre2_compile_context_free(cc);
    if (!c) {
        PCRE2_UCHAR text[200];
        pcre2_get_error_message(code, text, sizeof(text));
        err_set(err, "not a valid regular expression: %s (at byte %zu)", (const char *)text, at);
        return NULL;
    }
    (void)pcre2_jit_compile(c, PCRE2_JIT_COMPLETE); /* where JIT is forbidden the interpreter serves */
    return c;
}

struct regex *regex_new(const char *pattern, struct err *err)
{
    if (strlen(pattern) > REGEX_PATTERN_MAX) {
        err_set(err, "a pattern of %zu bytes, at most %d are allowed", strlen(pattern), REGEX_PATTERN_MAX);
        return NULL;
    }
    if (strstr(pattern, "(*")) {
        err_set(err, "verbs and settings \"(*…)\" are not allowed (write \"[(]*\" or \"\\(*\" for a bracket)");
        return NULL;
    }
    struct regex *re = xcalloc(1, sizeof(*re));
    re->fast = compile(pattern, 0, err);
    re->guarded = re->fast ? compile(pattern, PCRE2_AUTO_CALLOUT, err) : NULL;
    if (!re->guarded) {
        regex_free(&re);
        return NULL;
    }
    re->is_risky =
        open_repeats(pattern) > 1 || strstr(pattern, "(?R") || strstr(pattern, "(?&") || strstr(pattern, "\\g");
    re->has_jit = has_jit(re->fast) && has_jit(re->guarded);
    re->edit_group = edit_group_of(re->fast);
    return re;
}

void regex_free(struct regex **re)
{
    if (!*re)
        return;
    pcre2_code_free((*re)->fast);
    pcre2_code_free((*re)->guarded);
    free(*re);
    *re = NULL;
}

struct regex_scratch *regex_scratch_new(void)
{
    struct regex_scratch *s = xcalloc(1, sizeof(*s));
    s->data = pcre2_match_data_create(OVECTOR_PAIRS, NULL);
    s->ctx = pcre2_match_context_create(NULL);
    s->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MAX, NULL);
    if (!s->data || !s->ctx)
        abort(); /* out of memory at start, as in xalloc */
    pcre2_set_match_limit(s->ctx, REGEX_MATCH_LIMIT);
    pcre2_set_depth_limit(s->ctx, DEPTH_LIMIT);
    pcre2_set_heap_limit(s->ctx, HEAP_LIMIT_KB);
    pcre2_jit_stack_assign(s->ctx, NULL, s->stack);
    pcre2_set_callout(s->ctx, on_callout, s);
    return s;
}

void regex_scratch_free(struct regex_scratch **s)
{
    if (!*s)
        return;
    pcre2_match_data_free((*s)->data);
    pcre2_match_context_free((*s)->ctx);
    pcre2_jit_stack_free((*s)->stack);
    free(*s);
    *s = NULL;
}

enum regex_result regex_find(const struct regex *re, struct regex_scratch *s, struct span text, size_t start,
                             struct regex_hit *out)
{
    const pcre2_code *code = re->is_risky || text.n > FAST_TEXT_MAX ? re->guarded : re->fast;
    s->steps_left = STEPS_MAX + 2 * (int64_t)text.n;
    s->last_at = start;
    /* The same without looking at its arguments first, which takes longer than most patterns on a message. */
    int rc = re->has_jit ? pcre2_jit_match(code, text.p, text.n, start, 0, s->data, s->ctx)
                         : pcre2_match(code, text.p, text.n, start, PCRE2_NO_UTF_CHECK, s->data, s->ctx);
    if (rc == PCRE2_ERROR_NOMATCH)
        return REGEX_NONE;
    if (rc < 0)
        return REGEX_LIMIT;
    const PCRE2_SIZE *o = pcre2_get_ovector_pointer(s->data);
    if (o[0] > o[1]) /* \K inside a lookahead */
        return REGEX_NONE;
    *out = (struct regex_hit){o[0], o[1], o[0], o[1]};
    int g = re->edit_group;
    if (g && (rc == 0 || g < rc) && o[2 * g] != PCRE2_UNSET && o[2 * g] <= o[2 * g + 1])
        out->edit_from = o[2 * g], out->edit_to = o[2 * g + 1];
    return REGEX_HIT;
}
