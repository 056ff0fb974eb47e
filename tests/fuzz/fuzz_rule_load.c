/* A rule file of any bytes: loaded and used, or refused with a reason; never both, never neither. */
#include <unistd.h>

#include "rule/lint.h"
#include "rule/set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[] = "/tmp/cg-fuzz-rule-XXXXXX";

static void remove_file(void)
{
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    if (fd < 0) {
        fd = mkstemp(path);
        if (fd < 0)
            abort();
        atexit(remove_file);
    }
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    const char *paths[] = {path};
    struct ruleset_options o = {.pack_paths = paths, .n_pack_paths = 1};
    struct err_list errs = {0};
    struct ruleset *set = NULL;
    int rc = ruleset_load(&o, &set, &errs);
    if ((rc == 0) != (errs.n == 0) || (rc == 0) != (set != NULL))
        abort();
    if (set) {
        struct rule_scratch *scratch = rule_scratch_new();
        static const char text[] = "最好加我薇信 abc_1234，电话13800138000，明天上午回复您";
        struct rule_input in = {.text = {span_of(text, sizeof(text) - 1)}, .n_texts = 1, .now_ms = 1704852000000};
        struct verdict v;
        ruleset_judge(set, scratch, &in, &v);
        in.dir = DIR_INCOMING;
        ruleset_judge(set, scratch, &in, &v);
        rule_scratch_free(&scratch);
        ruleset_lint(set, &errs);
    }
    ruleset_unref(&set);
    err_list_fini(&errs);
    return 0;
}
