/* Capturing: what masking leaves of a text, records in order from several workers, files and their rotation, a queue
 * that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "gate/capture.h"
#include "gate/capture_file.h"
#include "gate/capture_mask.h"
#include "gate/capture_record.h"

static char *folder;

static int on_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    char template[] = "/tmp/chatgate-capture-XXXXXX";
    folder = xstrdup(mkdtemp(template));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    nftw(folder, on_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(folder);
    return 0;
}

/* --- masking --- */

static void masked_texts(void **state)
{
    (void)state;
    static const char *const pair[][2] = {
        {"电话13800138000，谢谢", "电话13000000000，谢谢"},
        {"138 0013 8000", "130 0000 0000"},
        {"138-0013-8000", "130-0000-0000"},
        {"+86 13800138000", "+86 13000000000"},
        {"１３８００１３８０００", "13000000000"},
        {"①③⑧⓪⓪①③⑧⓪⓪⓪", "13000000000"},
        {"一三八零零一三八零零零", "13000000000"},
        {"一 三 八 零 零 一 三 八 零 零 零", "1 3 0 0 0 0 0 0 0 0 0"},
        {"幺3八00幺3八零00", "13000000000"},
        {"138oo138ooo", "13000000000"},
        {"⑫三四五六", "10000"},
        {"⑫⑬⑭", "100"},
        {"⑫⑬", "⑫⑬"},
        {"1我3我8我0我0我1", "1我0我0我0我0我0"},
        {"010-87654321", "000-00000000"},
        {"QQ 987654321", "QQ 100000000"},
        {"订单号 20261122000123456", "订单号 10000000000000000"},
        {"身份证11010519491231002X", "身份证10000000000000000X"},
        {"99元两件，3-5个工作日", "99元两件，3-5个工作日"},
        {"100%纯棉，全网第一", "100%纯棉，全网第一"},
        {"销量第一，质量第一，服务第一，价格第一，口碑第一", "销量第一，质量第一，服务第一，价格第一，口碑第一"},
        {"加V：abc_123x", "加V：aaa_000a"},
        {"Zhang.San88@qq.com", "Aaaaa.Aaa00@qq.com"},
        {"zhangsan@163.com", "aaaaaaaa@163.com"},
        {"s.click.taobao.com/t?e=m2K9xQ7", "s.click.taobao.com/t?e=a0A0aA0"},
        {"wx号 ok", "wx号 ok"},
        {"", ""},
    };
    struct capture_mask *m = capture_mask_new();
    for (size_t i = 0; i < ARRAY_LEN(pair); i++) {
        struct span got = capture_mask_text(m, span_str(pair[i][0]));
        char *text = xmemdup0(got.p, got.n);
        assert_string_equal(text, pair[i][1]);
        free(text);
    }
    capture_mask_free(&m);
}

/* Random texts with numbers in many forms: valid UTF-8 comes out, and no five digits in a row of the original. */
static void no_digit_run_survives(void **state)
{
    (void)state;
    static const char *const forms[10][4] = {
        {"0", "０", "零", "⓪"}, {"1", "１", "一", "①"}, {"2", "２", "二", "②"}, {"3", "３", "三", "③"},
        {"4", "４", "四", "④"}, {"5", "５", "五", "⑤"}, {"6", "６", "六", "⑥"}, {"7", "７", "七", "⑦"},
        {"8", "８", "八", "⑧"}, {"9", "９", "九", "⑨"},
    };
    static const char *const around[] = {"加我", " ", "，", "abc", "😀", "第", "元", "-", ".", "é"};
    struct capture_mask *m = capture_mask_new();
    struct buf text = {0};
    uint64_t seed = 7;
    for (int round = 0; round < 3000; round++) {
        buf_reset(&text);
        char digits[32];
        size_t n = 0;
        for (int k = 0; k < 3; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            buf_append_str(&text, around[(seed >> 33) % ARRAY_LEN(around)]);
        }
        while (n < 11) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            unsigned d = (unsigned)(seed >> 33) % 9 + 1, form = (unsigned)(seed >> 45) % 4;
            digits[n++] = (char)('0' + d);
            buf_append_str(&text, forms[d][form]);
            if ((seed >> 50) % 4 == 0)
                buf_append_str(&text, " ");
        }
        digits[n] = '\0';
        struct span got = capture_mask_text(m, buf_span(&text));
        assert_true(utf8_is_valid(got));
        size_t kept = 0;
        char seen[512] = "";
        for (size_t i = 0; i < got.n; i++)
            if (got.p[i] >= '0' && got.p[i] <= '9' && kept + 1 < sizeof(seen))
                seen[kept++] = (char)got.p[i];
        seen[kept] = '\0';
        for (size_t i = 0; i + 5 <= n; i++) {
            char run[6];
            snprintf(run, sizeof(run), "%.5s", digits + i);
            if (strstr(seen, run))
                fail_msg("%s: %s survives in %.*s", buf_cstr(&text), run, (int)got.n, (const char *)got.p);
        }
    }
    buf_fini(&text);
    capture_mask_free(&m);
}

/* Any bytes that are UTF-8, long ones too. */
static void masking_random_text(void **state)
{
    (void)state;
    struct capture_mask *m = capture_mask_new();
    struct buf text = {0};
    uint64_t seed = 11;
    for (int round = 0; round < 2000; round++) {
        buf_reset(&text);
        unsigned n = round == 0 ? 15000 : (unsigned)round % 60;
        for (unsigned i = 0; i < n; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint32_t cp = (uint32_t)(seed >> 33) % (i % 3 ? 0x80 : 0x30000);
            uint8_t bytes[4];
            if (cp >= 0xd800 && cp < 0xe000)
                cp = 'x';
            buf_append(&text, bytes, utf8_encode(MAX_OF(cp, 1u), bytes));
        }
        assert_true(utf8_is_valid(capture_mask_text(m, buf_span(&text))));
    }
    buf_fini(&text);
    capture_mask_free(&m);
}

static void pseudonyms(void **state)
{
    (void)state;
    char a[CAPTURE_PSEUDONYM_MAX], b[CAPTURE_PSEUDONYM_MAX];
    capture_mask_id(span_str("amy"), a);
    assert_string_equal(a, capture_mask_id(span_str("amy"), b));
    assert_string_not_equal(a, capture_mask_id(span_str("amz"), b));
    assert_int_equal(strspn(a, "abcdefghijklmnop"), CAPTURE_PSEUDONYM_MAX - 1);
}

/* --- files --- */

static unsigned count_files(const char *dir, const char *prefix, mode_t mode)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    unsigned n = 0;
    for (struct dirent *at; (at = readdir(d));) {
        struct stat st;
        if (strncmp(at->d_name, prefix, strlen(prefix)) != 0)
            continue;
        n++;
        assert_int_equal(fstatat(dirfd(d), at->d_name, &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, mode);
    }
    closedir(d);
    return n;
}

static void files_rotate_and_are_private(void **state)
{
    (void)state;
    char *dir = xasprintf("%s/rotate", folder);
    struct capture_file f = {.node = xstrdup("gw"), .fd = -1};
    struct err e;
    umask(0);
    capture_file_set(&f, dir, 100, 3);
    for (int i = 0; i < 50; i++)
        assert_int_equal(
            capture_file_write(&f, span_str("{\"a\":\"twenty-two byt\"}\n{\"b\":\"twenty-two byt\"}\n"), &e), 0);
    umask(022);
    struct stat st;
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(count_files(dir, "capture-gw-", 0600), 3);
    assert_true(f.bytes <= 100);
    /* what is not ours stays: another node whose name begins with ours, and anything else */
    char *other = xasprintf("%s/capture-gw-2-20000101T000000.000Z-000.jsonl", dir);
    FILE *o = fopen(other, "we");
    assert_non_null(o);
    fclose(o);
    chmod(other, 0600);
    for (int i = 0; i < 50; i++)
        assert_int_equal(
            capture_file_write(&f, span_str("{\"a\":\"a line of its own, longer than the others are\"}\n"), &e), 0);
    assert_int_equal(access(other, F_OK), 0);
    assert_int_equal(count_files(dir, "capture-gw-", 0600), 4);
    free(other);
    nftw(dir, on_entry, 8, FTW_DEPTH | FTW_PHYS); /* an operator has cleared everything away */
    assert_int_equal(capture_file_write(&f, span_str("{}\n"), &e), 0);
    assert_int_equal(count_files(dir, "capture-gw-", 0600), 1);
    capture_file_fini(&f);
    free(dir);
}

static void an_open_folder_is_refused(void **state)
{
    (void)state;
    char *dir = xasprintf("%s/open", folder);
    assert_int_equal(mkdir(dir, 0755), 0);
    struct capture_file f = {.node = xstrdup("gw"), .fd = -1};
    struct err e;
    capture_file_set(&f, dir, 100, 3);
    assert_int_equal(capture_file_write(&f, span_str("{}\n"), &e), -1);
    assert_non_null(strstr(e.text, "0755"));
    assert_int_equal(count_files(dir, "capture-", 0600), 0);
    assert_int_equal(chmod(dir, 0750), 0);
    assert_int_equal(capture_file_write(&f, span_str("{}\n"), &e), 0);
    capture_file_set(&f, "/proc/nowhere", 100, 3);
    assert_int_equal(capture_file_write(&f, span_str("{}\n"), &e), -1);
    capture_file_fini(&f);
    free(dir);
}

/* --- the whole --- */

static struct conf conf_for(char *dir, bool is_full)
{
    return (struct conf){.capture = {true, dir, is_full, 1 << 20, 10, 1}};
}

static struct capture_item item_of(const struct span *text, const char *conv)
{
    return (struct capture_item){.at_ms = 1000,
                                 .dir = DIR_OUTGOING,
                                 .agent = span_str("amy"),
                                 .conv = span_str(conv),
                                 .text = text,
                                 .n_texts = 1,
                                 .rules_version = "0123456789abcdef"};
}

static char *read_all(const char *dir)
{
    struct dirent **entry;
    int n = scandir(dir, &entry, NULL, alphasort);
    struct buf all = {0};
    for (int i = 0; i < n; i++) {
        char *path = xasprintf("%s/%s", dir, entry[i]->d_name);
        FILE *f = strstr(path, ".jsonl") ? fopen(path, "re") : NULL;
        size_t got;
        while (f && (got = fread(buf_reserve(&all, 65536), 1, 65536, f)) > 0)
            buf_commit(&all, got);
        if (f)
            fclose(f);
        free(path);
        free(entry[i]);
    }
    free(entry);
    char *text = xstrdup(buf_cstr(&all));
    buf_fini(&all);
    return text;
}

enum { WORKERS = 4, EACH = 3000 };

struct load {
    struct capture *capture;
    unsigned worker;
    unsigned dropped;
};

static void *work(void *arg)
{
    struct load *l = arg;
    char text[64];
    for (int i = 0; i < EACH; i++) {
        snprintf(text, sizeof(text), "worker %u message %d", l->worker, i);
        struct span t = span_str(text);
        struct capture_item item = item_of(&t, "c");
        l->dropped += !capture_add(l->capture, l->worker, &item);
    }
    return NULL;
}

/* Several workers at once: every queued record is written once, those of a worker in order. */
static void workers_at_once(void **state)
{
    (void)state;
    char *dir = xasprintf("%s/whole", folder);
    struct conf conf = conf_for(dir, true);
    conf.capture.keep = 100;
    struct capture *c = capture_new("gw", WORKERS);
    assert_false(capture_wants(c, span_str("c")));
    capture_configure(c, &conf);
    assert_true(capture_wants(c, span_str("c")));
    pthread_t thread[WORKERS];
    struct load load[WORKERS];
    unsigned dropped = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        load[i] = (struct load){c, i, 0};
        assert_int_equal(pthread_create(&thread[i], NULL, work, &load[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(thread[i], NULL);
        dropped += load[i].dropped;
    }
    capture_free(&c);
    char *all = read_all(dir);
    unsigned lines = 0, next[WORKERS] = {0};
    for (char *at = all; (at = strstr(at, "\"text\":\"worker ")); at++) {
        unsigned worker, number;
        assert_int_equal(sscanf(at, "\"text\":\"worker %u message %u\"", &worker, &number), 2);
        assert_true(worker < WORKERS && number >= next[worker]);
        next[worker] = number + 1;
        lines++;
    }
    assert_int_equal(lines, WORKERS * EACH - dropped);
    free(all);
    free(dir);
}

static void a_full_queue_drops_and_a_long_text_is_left_out(void **state)
{
    (void)state;
    char *dir = xasprintf("%s/full", folder);
    struct conf conf = conf_for(dir, true);
    struct capture *c = capture_new("gw", 1);
    static uint8_t big[CAPTURE_TEXT_MAX + 1];
    memset(big, 'x', sizeof(big));
    struct span text = span_of(big, sizeof(big)), fits = span_of(big, CAPTURE_TEXT_MAX);
    struct capture_item too_long = item_of(&text, "c"), item = item_of(&fits, "c");
    assert_false(capture_add(c, 0, &item)); /* never switched on */
    capture_configure(c, &conf);
    assert_false(capture_add(c, 0, &too_long));
    unsigned queued = 0;
    while (capture_add(c, 0, &item)) /* faster than the writer's turns */
        queued++;
    assert_true(queued >= CAPTURE_QUEUE_BYTES / (CAPTURE_TEXT_MAX + 1000));
    capture_free(&c);
    char *all = read_all(dir);
    unsigned lines = 0;
    for (char *at = all; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, queued);
    free(all);
    free(dir);
}

static void masked_lines_and_samples(void **state)
{
    (void)state;
    char *dir = xasprintf("%s/masked", folder);
    struct conf conf = conf_for(dir, false);
    struct capture *c = capture_new("gw", 1);
    capture_configure(c, &conf);
    struct span text[2] = {span_str("打13800138000 \"\n"), span_str("第二个 987654321")};
    struct capture_item item = item_of(text, "c-4711");
    item.n_texts = 2;
    static const char *const facts[] = {"brand=yes"};
    item.who = (struct rule_who){.team = span_str("t"), .shop = span_str("s"), .facts = facts, .n_facts = 1};
    item.is_edit = true;
    item.mode = "bypass";
    assert_true(capture_add(c, 0, &item));
    conf.capture.sample = 10;
    capture_configure(c, &conf);
    unsigned wanted = 0;
    for (int i = 0; i < 10000; i++) {
        char conv[16];
        snprintf(conv, sizeof(conv), "%d", i);
        wanted += capture_wants(c, span_str(conv));
    }
    assert_in_range(wanted, 800, 1200);
    conf.capture.is_on = false;
    capture_configure(c, &conf);
    assert_false(capture_wants(c, span_str("c")));
    capture_free(&c);
    char *all = read_all(dir);
    assert_null(strstr(all, "13800138000"));
    assert_null(strstr(all, "987654321"));
    assert_null(strstr(all, "amy"));
    assert_null(strstr(all, "4711"));
    assert_non_null(strstr(all,
                           "\"team\":\"t\",\"shop\":\"s\",\"facts\":[\"brand=yes\"],\"edit\":true,\"mode\":\"bypass\","
                           "\"rules_version\":\"0123456789abcdef\",\"masked\":true,"
                           "\"text\":\"打13000000000 \\\"\\n\",\"more\":[\"第二个 100000000\"]}"));
    free(all);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masked_texts),
        cmocka_unit_test(no_digit_run_survives),
        cmocka_unit_test(masking_random_text),
        cmocka_unit_test(pseudonyms),
        cmocka_unit_test(files_rotate_and_are_private),
        cmocka_unit_test(an_open_folder_is_refused),
        cmocka_unit_test(workers_at_once),
        cmocka_unit_test(a_full_queue_drops_and_a_long_text_is_left_out),
        cmocka_unit_test(masked_lines_and_samples),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
