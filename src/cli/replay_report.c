#include "base/json_out.h"
#include "base/xalloc.h"
#include "cli/replay_tally.h"

static const struct {
    const char *name, *title;
} classes[] = {
#define X(id, name, title) {name, title},
    REPLAY_CLASSES(X)
#undef X
};

static int by_difference(const void *pa, const void *pb)
{
    const struct replay_rule *a = *(struct replay_rule *const *)pa, *b = *(struct replay_rule *const *)pb;
    uint64_t da = a->gained + a->lost, db = b->gained + b->lost;
    return da != db ? (da < db ? 1 : -1) : strcmp(a->id, b->id);
}

/* The rules, most different first; the caller frees the list. */
static struct replay_rule **sorted_rules(const struct replay_tally *t, size_t *n)
{
    struct replay_rule **list = xcalloc(t->rules.len + 1, sizeof(*list));
    size_t pos = 0;
    struct span key;
    void *value;
    *n = 0;
    while (map_next(&t->rules, &pos, &key, &value))
        list[(*n)++] = value;
    if (*n)
        qsort(list, *n, sizeof(*list), by_difference);
    return list;
}

static void print_matrix(const struct replay_tally *t, const char *title, int from, int to)
{
    printf("\n%s (down: old, across: new)\n%12s", title, "");
    for (int k = from; k < to; k++)
        printf("%11s", replay_end_name(k));
    for (int i = from; i < to; i++) {
        printf("\n%12s", replay_end_name(i));
        for (int k = from; k < to; k++)
            printf("%11llu", (unsigned long long)t->ends[i][k]);
    }
    putchar('\n');
}

static void print_rules(const struct replay_tally *t)
{
    size_t n, same = 0;
    struct replay_rule **list = sorted_rules(t, &n);
    for (size_t i = 0; i < n; i++) {
        const struct replay_rule *r = list[i];
        if (!r->gained && !r->lost) {
            same++;
            continue;
        }
        if (i == 0)
            printf("\n%-48s%9s%9s%9s%9s\n", "rule", "old", "new", "gained", "lost");
        printf("%-48s%9llu%9llu%9llu%9llu\n", r->id, (unsigned long long)r->old, (unsigned long long)r->now,
               (unsigned long long)r->gained, (unsigned long long)r->lost);
    }
    printf("\n%zu other rules hit the same messages as before\n", same);
    free(list);
}

static void print_escaped(const char *text)
{
    struct buf b = {0};
    json_escape(&b, span_str(text));
    fputs(buf_cstr(&b), stdout);
    buf_fini(&b);
}

static void print_changes(const struct replay_tally *t)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        if (!t->n_class[class])
            continue;
        printf("\n%s: %llu\n", classes[class].title, (unsigned long long)t->n_class[class]);
        for (size_t i = 0; i < t->n_changes; i++) {
            const struct replay_change *c = &t->change[i];
            if ((int)c->class != class)
                continue;
            printf("  %s:%llu: %s%s%s -> %s%s%s%s%s\n      ", c->file, (unsigned long long)c->line, c->id,
                   c->id[0] ? " " : "", c->old, c->now, c->gained[0] ? " +" : "", c->gained, c->lost[0] ? " -" : "",
                   c->lost);
            print_escaped(c->text);
            putchar('\n');
        }
        if (t->n_class[class] > t->worst)
            printf("  and %llu more (--worst)\n", (unsigned long long)(t->n_class[class] - t->worst));
    }
}

void replay_tally_print(const struct replay_tally *t, const char *old_version, const char *new_version)
{
    const char *recorded = t->recorded ? t->recorded : "unknown";
    printf("%llu messages of agents, %llu of customers\n", (unsigned long long)t->n[DIR_OUTGOING],
           (unsigned long long)t->n[DIR_INCOMING]);
    if (t->unruled || t->bypassed)
        printf("left out: %llu decided without the rules, %llu passed in mode bypass\n", (unsigned long long)t->unruled,
               (unsigned long long)t->bypassed);
    printf("old: %s%s%s, new: %s\n", old_version ? old_version : "as recorded, rules ", old_version ? "" : recorded,
           !old_version && t->is_mixed ? " and others" : "", new_version);
    if (t->masked && !old_version)
        printf("%llu texts are masked, and were not when their verdicts were recorded: see --against\n",
               (unsigned long long)t->masked);
    if (t->n[DIR_OUTGOING])
        print_matrix(t, "agents' messages", 0, ACTION_COUNT);
    if (t->n[DIR_INCOMING])
        print_matrix(t, "customers' messages", END_NONE, END_COUNT);
    print_rules(t);
    print_changes(t);
    printf("\n%llu messages change: %llu of agents, %llu of customers\n",
           (unsigned long long)(t->changed[0] + t->changed[1]), (unsigned long long)t->changed[DIR_OUTGOING],
           (unsigned long long)t->changed[DIR_INCOMING]);
}

/* --- the report as JSON --- */

static void put_count(struct json_out *j, const char *key, uint64_t n)
{
    json_key(j, key), json_int(j, (int64_t)n);
}

static void put_matrix(const struct replay_tally *t, struct json_out *j, const char *key, int from, int to)
{
    json_key(j, key);
    json_obj(j);
    for (int i = from; i < to; i++) {
        json_key(j, replay_end_name(i));
        json_obj(j);
        for (int k = from; k < to; k++)
            put_count(j, replay_end_name(k), t->ends[i][k]);
        json_obj_end(j);
    }
    json_obj_end(j);
}

static void put_rules(const struct replay_tally *t, struct json_out *j)
{
    size_t n;
    struct replay_rule **list = sorted_rules(t, &n);
    json_key(j, "rules");
    json_arr(j);
    for (size_t i = 0; i < n; i++) {
        json_obj(j);
        json_key(j, "id"), json_str(j, list[i]->id);
        put_count(j, "old", list[i]->old);
        put_count(j, "new", list[i]->now);
        put_count(j, "gained", list[i]->gained);
        put_count(j, "lost", list[i]->lost);
        json_obj_end(j);
    }
    json_arr_end(j);
    free(list);
}

static void put_list(struct json_out *j, const char *key, const char *inside)
{
    json_key(j, key);
    json_arr(j);
    if (inside[0])
        json_raw(j, span_str(inside));
    json_arr_end(j);
}

static void put_change(const struct replay_change *c, struct json_out *j)
{
    json_obj(j);
    json_key(j, "class"), json_str(j, classes[c->class].name);
    json_key(j, "file"), json_str(j, c->file);
    put_count(j, "line", c->line);
    if (c->id[0])
        json_key(j, "id"), json_raw(j, span_str(c->id));
    json_key(j, "old"), json_str(j, c->old);
    json_key(j, "new"), json_str(j, c->now);
    put_list(j, "gained", c->gained);
    put_list(j, "lost", c->lost);
    json_key(j, "text"), json_str(j, c->text);
    json_obj_end(j);
}

void replay_tally_print_json(const struct replay_tally *t, const char *old_version, const char *new_version)
{
    struct buf out = {0};
    struct json_out json = {.buf = &out}, *j = &json;
    json_obj(j);
    put_count(j, "agents", t->n[DIR_OUTGOING]);
    put_count(j, "customers", t->n[DIR_INCOMING]);
    put_count(j, "unruled", t->unruled);
    put_count(j, "bypassed", t->bypassed);
    put_count(j, "masked", t->masked);
    put_count(j, "changed", t->changed[0] + t->changed[1]);
    json_key(j, "old_rules"), json_str(j, old_version ? old_version : "recorded");
    json_key(j, "new_rules"), json_str(j, new_version);
    put_matrix(t, j, "actions", 0, ACTION_COUNT);
    put_matrix(t, j, "cases", END_NONE, END_COUNT);
    put_rules(t, j);
    json_key(j, "classes");
    json_obj(j);
    for (int class = 0; class < CLASS_COUNT; class ++)
        put_count(j, classes[class].name, t->n_class[class]);
    json_obj_end(j);
    json_key(j, "changes");
    json_arr(j);
    for (int class = 0; class < CLASS_COUNT; class ++)
        for (size_t i = 0; i < t->n_changes; i++)
            if ((int)t->change[i].class == class)
                put_change(&t->change[i], j);
    json_arr_end(j);
    json_obj_end(j);
    printf("%s\n", buf_cstr(&out));
    buf_fini(&out);
}
