#include "rule/lead.h"

#include "base/utf8.h"
#include "base/xalloc.h"

/* How often a word is met in 10,000 messages of ordinary service talk, in steps. What is not listed is rare, the longer
 * the rarer. Nothing but speed hangs on it. */
struct step {
    uint32_t times;
    const char *words; /* a blank between two */
};

static const struct step steps[] = {
    {2500, "的 您 是 我 有 以 了 这 请 可以"},
    {1500, "可 不 吗 呢 到 个 单 一 下 好 还 么 哦 问 帮 在 订 要 你 亲 订单 您的"},
    {800, "为 没 时 货 能 什 后 1 给 商 发 小 品 退 天 号 店 等 点 看 价 会 收 送 就 他 款 查 需 们 什么 请问 这个 "
          "还有 没有 为您 的呢"},
    {450, "申 其 取 都 询 服 用 家 地 快 联 系 理 电 那 消 支 开 去 大 机 上 人 票 保 子 谢 信 买 处 行 元 说 想 来 出 "
          "里 再 卡 换 多 新 我们 一下 商品 这边 帮您 申请 您好 需要 服务 给您 到您 怎么 问题 退款 取消 联系 亲亲 收到 "
          "地址 推荐 已经 查询 支持 不能 配送 售后 提供 稍等 下单 手机 电话 活动 优惠 客服 平台"},
};

enum { ONE_UNIT = 150, TWO_UNITS = 20, MORE_UNITS = 4, LISTED_MAX = 400 };

struct listed {
    uint64_t units; /* the first unit and the second */
    uint32_t times;
};

struct table {
    struct listed word[LISTED_MAX];
    size_t n;
};

static uint64_t units_of(const uint32_t *cp, uint32_t n)
{
    return (uint64_t)cp[0] << 32 | (n > 1 ? cp[1] : 0);
}

static int by_units(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    return x->units < y->units ? -1 : x->units > y->units;
}

static void add_words(struct table *t, const struct step *step)
{
    uint32_t cp[2] = {0}, n = 0;
    for (struct span left = span_str(step->words); t->n < LISTED_MAX;) {
        uint32_t one = 0;
        unsigned bytes = utf8_decode(left.p, left.n, &one);
        if (bytes && one != ' ' && n < ARRAY_LEN(cp)) {
            cp[n++] = one;
        } else if (n) {
            t->word[t->n++] = (struct listed){units_of(cp, n), step->times};
            n = 0;
        }
        if (!bytes)
            return;
        left = span_from(left, bytes);
    }
}

static void build_table(struct table *t)
{
    t->n = 0;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        add_words(t, &steps[i]);
    qsort(t->word, t->n, sizeof(t->word[0]), by_units);
}

static uint32_t times_met(const struct table *table, const struct term *t)
{
    if (t->n > 2)
        return MORE_UNITS;
    if (t->form == TERM_PLAIN && t->n) {
        struct listed want = {.units = units_of(t->cp, t->n)};
        const struct listed *known = bsearch(&want, table->word, table->n, sizeof(want), by_units);
        if (known)
            return known->times;
    }
    return t->n <= 1 ? ONE_UNIT : TWO_UNITS;
}

struct count {
    uint32_t times[64]; /* by bit of the mask */
};

static unsigned rarest(const struct count *c, uint64_t bits)
{
    unsigned best = 64;
    for (unsigned b = 0; b < 64; b++)
        if ((bits >> b & 1) && (best == 64 || c->times[b] < c->times[best]))
            best = b;
    return best;
}

static void choose(struct rule *r, struct rule_gate *g, const struct count *c)
{
    g->lead = g->alone;
    for (unsigned i = 0; i < r->n_near; i++) {
        struct near *near = &r->near[i];
        if (!near->need)
            continue; /* nothing but numbers: the rule is always looked at */
        unsigned bit = rarest(c, near->need);
        near->lead = (uint8_t)(bit - BIT_GROUP);
        g->lead |= (uint64_t)1 << bit;
    }
    for (unsigned i = 0; i < r->n_regex; i++)
        if (r->regex[i].has_also)
            g->lead |= (uint64_t)1 << rarest(c, (uint64_t)1 << (BIT_REGEX + i) | (uint64_t)1 << (BIT_ALSO + i));
}

void lead_choose(struct side *s)
{
    struct count *count = xcalloc(s->n_rules + 1, sizeof(*count));
    struct table *table = xcalloc(1, sizeof(*table));
    build_table(table);
    for (size_t i = 0; i < s->n_terms; i++) {
        const struct term *t = &s->term[i];
        uint32_t times = t->n_wake ? times_met(table, t) : 0;
        for (uint32_t k = 0; k < t->n_wake; k++)
            count[t->wake[k].rule].times[t->wake[k].bit] += times;
    }
    for (size_t i = 0; i < s->n_rules; i++)
        choose(s->rule[i], &s->gate[i], &count[i]);
    free(table);
    free(count);
}
