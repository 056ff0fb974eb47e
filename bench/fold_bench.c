/* fold_bench [LINES]: nanoseconds a message of the folding against utf8proc (NFKC, case folding) into a static buffer,
 * on the lines of a file or on the built-in ones. Rounds alternate; each ratio is of two measurements side by side. */
#include <inttypes.h>
#include <utf8proc.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "text/fold.h"

enum { ROUNDS = 9, LINES_MAX = 100000, PASS_BYTES = 8 * 1024 * 1024, VARIANTS = 4 };

static const char *const built_in[] = {
    "您好，很高兴为您服务，请问有什么可以帮您的呢？",
    "亲，您的订单已经发货了，单号是 SF1390000123456，预计明天下午送到。",
    "这款保温杯容量是500ml，材质304不锈钢，可以放心使用哦~",
    "好的，麻烦您稍等一下，我这边帮您查询物流信息",
    "退款会在1-3个工作日内原路退回您的支付账户，请您注意查收",
    "親，這款商品目前沒有現貨，預計下週三到貨，您可以先收藏店鋪",
    "Hello, your order has been shipped and will arrive in 5-7 days.",
    "加我微信weixin123聊吧，给您发实拍图",
    "尺码表：S 适合 45-50kg，M 适合 50-55kg，L 适合 55-62kg",
    "非常抱歉给您带来不好的购物体验😊，我们会尽快处理❤️",
};

static struct span lines[LINES_MAX];
static size_t line_n, total_bytes;

static void add_line(struct span line)
{
    if (line.n && line.n <= FOLD_TEXT_MAX && line_n < LINES_MAX && utf8_is_valid(line)) {
        lines[line_n++] = line;
        total_bytes += line.n;
    }
}

static void read_lines(const char *path)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    if (!f) {
        perror(path);
        exit(1);
    }
    while ((n = getline(&line, &size, f)) > 0) {
        size_t len = (size_t)n - (line[n - 1] == '\n');
        add_line(span_of(xmemdup0(line, len), len));
    }
    free(line);
    fclose(f);
}

static uint64_t sum; /* keeps the work from being optimised away */

static void run_utf8proc(void)
{
    static utf8proc_int32_t out[4 * FOLD_TEXT_MAX];
    utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    for (size_t i = 0; i < line_n; i++) {
        utf8proc_ssize_t n = utf8proc_decompose(lines[i].p, (utf8proc_ssize_t)lines[i].n, out, ARRAY_LEN(out), how);
        sum += (uint64_t)utf8proc_reencode(out, n, how);
    }
}

static void run_fold(struct fold_scratch *s, unsigned want)
{
    struct folded f;
    for (size_t i = 0; i < line_n; i++) {
        fold_text(s, lines[i], want, &f);
        sum += f.view[VIEW_PLAIN].n;
    }
}

static const struct {
    const char *name;
    unsigned want;
} variants[VARIANTS] = {
    {"utf8proc into a static buffer", 0},
    {"fold: plain", 1 << VIEW_PLAIN},
    {"fold: plain, digits, readings", 1 << VIEW_PLAIN | 1 << VIEW_DIGIT | 1 << VIEW_READING},
    {"fold: all views and the line", 1 << VIEW_PLAIN | 1 << VIEW_DIGIT | 1 << VIEW_READING | FOLD_WANT_LINE},
};

static double ns_per_line(struct fold_scratch *s, int variant)
{
    size_t passes = 1 + PASS_BYTES / total_bytes;
    int64_t start = clock_mono_us();
    for (size_t k = 0; k < passes; k++) {
        if (variant == 0)
            run_utf8proc();
        else
            run_fold(s, variants[variant].want);
    }
    return 1000.0 * (double)(clock_mono_us() - start) / (double)(passes * line_n);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    static double ns[VARIANTS][ROUNDS], ratio[VARIANTS][ROUNDS];
    if (argc > 1)
        read_lines(argv[1]);
    for (size_t i = 0; argc < 2 && i < ARRAY_LEN(built_in); i++)
        add_line(span_str(built_in[i]));
    if (!line_n) {
        fprintf(stderr, "no lines of valid UTF-8\n");
        return 1;
    }
    struct fold_scratch *s = fold_scratch_new();
    for (int r = 0; r < ROUNDS; r++) {
        for (int v = 0; v < VARIANTS; v++) {
            ns[v][r] = ns_per_line(s, v);
            ratio[v][r] = ns[v][r] / ns[0][r];
        }
    }
    printf("%zu lines, %.1f bytes each, %d rounds; median [least-most]\n", line_n, (double)total_bytes / (double)line_n,
           ROUNDS);
    for (int v = 0; v < VARIANTS; v++) {
        qsort(ns[v], ROUNDS, sizeof(double), by_value);
        qsort(ratio[v], ROUNDS, sizeof(double), by_value);
        printf("%-32s %6.0f ns [%.0f-%.0f]   ratio %.2f [%.2f-%.2f]\n", variants[v].name, ns[v][ROUNDS / 2], ns[v][0],
               ns[v][ROUNDS - 1], ratio[v][ROUNDS / 2], ratio[v][0], ratio[v][ROUNDS - 1]);
    }
    fold_scratch_free(&s);
    return sum == 0;
}
