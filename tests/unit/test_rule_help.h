/* Packs from strings, for the tests of src/rule. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "rule/set.h"

struct packs {
    char dir[64];
};

static inline void packs_write(const struct packs *p, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", p->dir, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
}

static inline void packs_init(struct packs *p)
{
    char sub[100];
    snprintf(p->dir, sizeof(p->dir), "/tmp/cg-rule-test-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(sub, sizeof(sub), "%s/lists", p->dir);
    assert_int_equal(mkdir(sub, 0700), 0);
    snprintf(sub, sizeof(sub), "%s/local", p->dir);
    assert_int_equal(mkdir(sub, 0700), 0);
}

static inline void packs_fini(const struct packs *p)
{
    char command[200];
    snprintf(command, sizeof(command), "rm -r %s", p->dir);
    assert_int_equal(system(command), 0);
}

static inline struct ruleset *packs_load(const struct packs *p, const char *preset, struct err_list *errs)
{
    char local[100];
    const char *path = p->dir;
    snprintf(local, sizeof(local), "%s/local", p->dir);
    struct ruleset_options o = {.pack_paths = &path, .n_pack_paths = 1, .local_path = local, .preset = preset};
    struct ruleset *set = NULL;
    int rc = ruleset_load(&o, &set, errs);
    assert_int_equal(rc == 0, errs->n == 0);
    assert_int_equal(rc == 0, set != NULL);
    return set;
}

/* A set of one file, which must load. */
static inline struct ruleset *set_of(const char *yaml)
{
    struct packs p;
    struct err_list errs = {0};
    packs_init(&p);
    packs_write(&p, "a.yaml", yaml);
    struct ruleset *set = packs_load(&p, NULL, &errs);
    for (size_t i = 0; i < errs.n; i++)
        print_message("%s\n", errs.line[i]);
    assert_non_null(set);
    err_list_fini(&errs);
    packs_fini(&p);
    return set;
}

static const int64_t test_now = 1704852000000; /* Wednesday 2024-01-10, 10:00 in Shanghai */

static inline struct verdict judge(const struct ruleset *set, enum direction dir, const char *text)
{
    static struct rule_scratch *scratch;
    if (!scratch)
        scratch = rule_scratch_new();
    struct rule_input in = {.dir = dir, .text = {span_str(text)}, .n_texts = text ? 1 : 0, .now_ms = test_now};
    struct verdict v = {0};
    if (!set)
        rule_scratch_free(&scratch);
    else
        ruleset_judge(set, scratch, &in, &v);
    return v;
}

/* Frees what judge() keeps. */
static inline int judge_fini(void **state)
{
    (void)state;
    (void)judge(NULL, DIR_OUTGOING, NULL);
    return 0;
}

/* The message after its edits; the caller frees. */
static inline char *edited(const struct verdict *v, const char *text)
{
    struct buf b = {0};
    size_t at = 0;
    for (size_t i = 0; i < v->n_edits; i++) {
        assert_true(v->edit[i].from >= at && v->edit[i].to > v->edit[i].from && v->edit[i].to <= strlen(text));
        buf_append(&b, text + at, v->edit[i].from - at);
        buf_append_span(&b, v->edit[i].with);
        at = v->edit[i].to;
    }
    buf_append_str(&b, text + at);
    char *out = xstrdup(buf_cstr(&b));
    buf_fini(&b);
    return out;
}
