#include "bench_opt.h"

#include <errno.h>
#include <math.h>

static void show_help(const struct opt *table, const char *usage)
{
    printf("%s\n", usage);
    for (const struct opt *o = table; o->name; o++)
        printf("  --%s%s%-*s %s\n", o->name, o->argument ? " " : "",
               (int)(26 - strlen(o->name) - (o->argument ? 1 : 0)), o->argument ? o->argument : "", o->help);
}

static const struct opt *find(const struct opt *table, const char *name, size_t n)
{
    for (const struct opt *o = table; o->name; o++)
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
            return o;
    return NULL;
}

static int set_number(const struct opt *o, const char *value)
{
    char *end;
    errno = 0;
    double v = strtod(value, &end);
    bool ok = end != value && !*end && !errno && isfinite(v) && v >= o->min && v <= o->max;
    if (ok && o->kind == OPT_INT)
        ok = v == floor(v);
    if (!ok) {
        fprintf(stderr, "--%s: found '%s', allowed is a%s number from %g to %g\n", o->name, value,
                o->kind == OPT_INT ? " whole" : "", o->min, o->max);
        return 2;
    }
    if (o->kind == OPT_INT)
        *(long *)o->to = (long)v;
    else
        *(double *)o->to = v;
    return 0;
}

static int set(const struct opt *o, const char *value)
{
    struct opt_list *list = o->to;
    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)o->to = true;
        return 0;
    case OPT_TEXT:
        *(const char **)o->to = value;
        return 0;
    case OPT_LIST:
        if (list->n == OPT_LIST_MAX) {
            fprintf(stderr, "--%s: more than %d times\n", o->name, OPT_LIST_MAX);
            return 2;
        }
        list->item[list->n++] = value;
        return 0;
    default:
        return set_number(o, value);
    }
}

int opt_read(const struct opt *table, const char *usage, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *eq = strchr(arg, '=');
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            show_help(table, usage);
            return 1;
        }
        size_t n = eq ? (size_t)(eq - arg) : strlen(arg);
        const struct opt *o = n > 2 && arg[0] == '-' && arg[1] == '-' ? find(table, arg + 2, n - 2) : NULL;
        if (!o) {
            fprintf(stderr, "unknown option '%s' (--help lists them)\n", arg);
            return 2;
        }
        bool needs_value = o->kind != OPT_FLAG;
        if (needs_value && !eq && i + 1 == argc) {
            fprintf(stderr, "--%s: needs %s\n", o->name, o->argument ? o->argument : "a value");
            return 2;
        }
        if (!needs_value && eq) {
            fprintf(stderr, "--%s: takes no value\n", o->name);
            return 2;
        }
        int rc = set(o, !needs_value ? NULL : eq ? eq + 1 : argv[++i]);
        if (rc)
            return rc;
    }
    return 0;
}

const char *opt_named(const char *item, size_t *name_len)
{
    const char *eq = strchr(item, '=');
    if (!eq || eq == item)
        return NULL;
    *name_len = (size_t)(eq - item);
    return eq + 1;
}
