/* Numbers in the digit view. Digits with at most three separators between them belong together; the pieces between
 * separators are tokens, since 138-0013-8000 is one number and "13800138000 100元" is two. */
#include "base/utf8.h"
#include "rule/detect_id.h"
#include "rule/number_kind.h"

enum {
    DIGITS_MAX = 40,
    DIGITS_MIN = 5, /* fewer are an amount of money at most */
    TOKENS_MAX = 40,
    GAP_IN_NUMBER = 3,
    LOOK_BACK = 8,
    ID_LOOK_BACK = 12,
    CODE_MAX = 18,
    GROUPED_MIN = 13,
    GROUPED_MAX = 19
};

struct token {
    uint32_t from, to;   /* units of the digit view */
    bool is_behind_mark; /* clause punctuation or a line break stands before it */
};

struct numbers {
    const struct detect_text *t;
    const struct view *v;
    struct detect_list *out;
    struct token token[TOKENS_MAX]; /* of one run */
    size_t n;
};

static bool is_digit(uint32_t cp)
{
    return cp >= '0' && cp <= '9';
}

static bool is_latin(uint32_t cp)
{
    return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z');
}

static bool units_are(const struct view *v, uint32_t at, uint32_t end, const char *word)
{
    uint8_t first[4];
    if (at >= end || strncmp((const char *)first, word, utf8_encode(v->cp[at], first)) != 0)
        return false;
    size_t left = strlen(word);
    for (; left; at++) {
        uint32_t cp = 0;
        unsigned n = utf8_decode((const uint8_t *)word, left, &cp);
        if (!n || at >= end || v->cp[at] != cp)
            return false;
        word += n, left -= n;
    }
    return true;
}

/* The last start of one of the words in units [from, to), or -1. */
static int64_t last_of(const struct view *v, uint32_t from, uint32_t to, const char *const *words)
{
    for (uint32_t at = to; at-- > from;)
        for (size_t w = 0; words[w]; w++)
            if (units_are(v, at, to, words[w]))
                return at;
    return -1;
}

static const char *const order_words[] = {"单号", "订单", "运单", "编号", "货号", "款号",   "型号",   "条码",
                                          "流水", "工单", "批号", "税号", "sku",  "物流号", "快递号", NULL};
static const char *const call_words[] = {"电话", "手机", "号码", "联系", "致电", "拨打", "微信", "热线",   "座机",
                                         "卡号", "打款", "转账", "tel",  "vx",   "wx",   "qq",   "身份证", NULL};
static const char *const reach_words[] = {"电话", "手机", "号码",   "号是", "联系", "致电", "拨",   "打我", "找我",
                                          "呼我", "加我", "我的号", "微信", "tel",  "vx",   "call", NULL};
static const char *const unit_words[] = {"mm", "cm", "kg", "ml", "mah",  "km",   "gb", "元",   "块", "件", "个", "米",
                                         "克", "斤", "人", "次", "年",   "月",   "日", "天",   "点", "折", "码", "瓦",
                                         "毫", "厘", "公", "升", "小时", "分钟", "秒", "号楼", "期", "分", NULL};
static const char *const glued_words[] = {"wx",     "vx",    "v",      "x",   "tel",    "qq", "q", "weixin",
                                          "wechat", "phone", "mobile", "zfb", "alipay", "t",  NULL};

/* A word that makes a number an order or tracking number stands before it, and no word of calling in between. */
static bool is_order_number(const struct view *v, uint32_t at)
{
    uint32_t from = at > LOOK_BACK ? at - LOOK_BACK : 0;
    int64_t order = last_of(v, from, at, order_words);
    return order >= 0 && last_of(v, (uint32_t)order, at, call_words) < 0;
}

static bool has_unit_behind(const struct view *v, uint32_t at)
{
    if (at >= v->n || v->gap[at] > 1)
        return false;
    for (size_t w = 0; unit_words[w]; w++)
        if (units_are(v, at, v->n, unit_words[w]))
            return true;
    return false;
}

/* A Latin letter right before: part of a code, unless the letters name a channel. */
static bool is_glued(const struct view *v, uint32_t at)
{
    if (at == 0 || v->gap[at] != 0 || !is_latin(v->cp[at - 1]))
        return false;
    uint32_t from = at;
    while (from > 0 && at - from < 10 && is_latin(v->cp[from - 1]) && (from == at || v->gap[from] == 0))
        from--;
    for (size_t w = 0; glued_words[w]; w++)
        if (strlen(glued_words[w]) == at - from && units_are(v, from, at, glued_words[w]))
            return false;
    return true;
}

/* Letters right behind that name no channel: 24276689a, 2G. */
static bool is_glued_behind(const struct view *v, uint32_t at)
{
    uint32_t to = at;
    while (to < v->n && to - at < 10 && is_latin(v->cp[to]) && v->gap[to] == 0)
        to++;
    for (size_t w = 0; glued_words[w]; w++)
        if (strlen(glued_words[w]) == to - at && units_are(v, at, to, glued_words[w]))
            return false;
    return to > at;
}

static void add(struct numbers *x, enum detector kind, uint32_t from, uint32_t to)
{
    const struct view *plain = &x->t->f->view[VIEW_PLAIN];
    struct detection d = {.kind = (uint8_t)kind, .bfrom = x->v->from[from], .bto = x->v->to[to - 1]};
    d.from = detect_unit_at(plain, d.bfrom);
    d.to = detect_unit_at(plain, d.bto);
    detect_add(x->out, d);
}

/* …，打这个 */
static bool has_reach_behind(const struct view *v, uint32_t at)
{
    static const char *const words[] = {"打这", "打我", "加我", "联系我", "呼我", "拨这", NULL};
    for (size_t w = 0; words[w]; w++)
        if (units_are(v, at, v->n, words[w]))
            return true;
    return false;
}

/* All of it in characters: 幺五二零. */
static bool is_spelled(const struct numbers *x, size_t a, size_t b)
{
    const struct view *plain = &x->t->f->view[VIEW_PLAIN];
    for (size_t k = a; k <= b; k++)
        for (uint32_t u = x->token[k].from; u < x->token[k].to; u++)
            if (is_digit(plain->cp[u]))
                return false;
    return true;
}

/* 1。3。8。…, or 打我：136，0012，3456: over punctuation only a mobile number is read, digit by digit, spelled out or
 * behind a word of calling; else 150，1600，1800 would be one. */
static bool may_join(const struct numbers *x, size_t a, size_t b, int kind)
{
    bool has_mark = false, is_single = true;
    for (size_t k = a; k <= b; k++) {
        has_mark |= k > a && x->token[k].is_behind_mark;
        is_single &= x->token[k].to - x->token[k].from == 1;
    }
    if (!has_mark)
        return true;
    uint32_t from = x->token[a].from;
    return kind == DETECT_PHONE && (is_single || is_spelled(x, a, b) || has_reach_behind(x->v, x->token[b].to) ||
                                    last_of(x->v, from > LOOK_BACK ? from - LOOK_BACK : 0, from, reach_words) >= 0);
}

/* Tokens [a, b] read as one number of n digits. True when it was something. */
static bool judge_joined(struct numbers *x, size_t a, size_t b, const char *d, size_t n)
{
    uint32_t from = x->token[a].from, to = x->token[b].to;
    const struct view *v = x->v;
    bool has_x = n == 17 && to < v->n && (v->cp[to] == 'x' || v->cp[to] == 'X') && v->gap[to] <= 1;
    if ((n == 18 && detect_is_id_card(d, d[17])) || (has_x && detect_is_id_card(d, 'x'))) {
        add(x, DETECT_ID_CARD, from, to + (has_x ? 1 : 0));
        return true;
    }
    int kind = number_kind(d, n);
    if (kind < 0 || !may_join(x, a, b, kind) || is_order_number(v, from) || is_glued(v, from) || has_unit_behind(v, to))
        return false;
    if (b > a && is_glued_behind(v, to)) /* the last piece belongs to something else: 2G */
        return false;
    add(x, (enum detector)kind, from, to);
    return true;
}

/* One whole token, or single digits one by one: QQ, short landlines, any number. */
static void judge_token(struct numbers *x, uint32_t from, uint32_t to, const char *d, size_t n)
{
    static const char *const lines[] = {"电话", "座机", "热线", "致电", "tel", NULL};
    const struct view *v = x->v;
    if (n < 5)
        return;
    add(x, DETECT_NUMBER, from, to);
    if (is_order_number(v, from) || has_unit_behind(v, to))
        return;
    bool is_date = n == 8 && (strncmp(d, "20", 2) == 0 || strncmp(d, "19", 2) == 0) && detect_decimal(d + 4, 2) <= 12 &&
                   detect_decimal(d + 6, 2) <= 31;
    if (n <= 11 && d[0] != '0' && !is_date && !is_glued(v, from) && !is_glued_behind(v, to))
        add(x, DETECT_QQ, from, to);
    if ((n == 7 || n == 8) && d[0] >= '2' && !is_date && last_of(v, from > 4 ? from - 4 : 0, from, lines) >= 0)
        add(x, DETECT_LANDLINE, from, to);
}

static size_t digits_of(const struct numbers *x, uint32_t from, uint32_t to, char *d, size_t n)
{
    for (uint32_t u = from; u < to && n < DIGITS_MAX; u++)
        d[n++] = (char)x->v->cp[u];
    return n;
}

/* 6228 4800 1234 5678 914: groups of four are one long number, whether or not its check digit is right. */
static void add_grouped(struct numbers *x)
{
    uint32_t n = 0;
    for (size_t a = 0; a < x->n; a++) {
        uint32_t len = x->token[a].to - x->token[a].from;
        if (x->token[a].is_behind_mark || (len != 4 && (a + 1 < x->n || len > 4)))
            return;
        n += len;
    }
    if (n >= GROUPED_MIN && n <= GROUPED_MAX && !is_order_number(x->v, x->token[0].from))
        add(x, DETECT_NUMBER, x->token[0].from, x->token[x->n - 1].to);
}

static void judge_run(struct numbers *x)
{
    char d[DIGITS_MAX + 1];
    size_t single = 0;
    for (size_t a = 0; a < x->n; a++) {
        size_t n = 0, found = SIZE_MAX;
        for (size_t b = a; b < x->n && n < 20 && found == SIZE_MAX; b++) {
            n = digits_of(x, x->token[b].from, x->token[b].to, d, n);
            d[n] = '\0';
            if (n >= 10 && judge_joined(x, a, b, d, n))
                found = b;
        }
        single += x->token[a].to - x->token[a].from == 1;
        n = digits_of(x, x->token[a].from, x->token[a].to, d, 0);
        d[n] = '\0';
        judge_token(x, x->token[a].from, x->token[a].to, d, n);
        if (found != SIZE_MAX)
            a = found;
    }
    if (x->n > 1)
        add_grouped(x);
    for (size_t a = 1; a < x->n; a++)
        single -= x->token[a].is_behind_mark; /* 1、2、3: a list */
    if (single == x->n && x->n >= 5) {        /* 1 2 3 4 5: spaced out */
        uint32_t from = x->token[0].from, to = x->token[x->n - 1].to;
        size_t n = digits_of(x, from, to, d, 0);
        d[n] = '\0';
        judge_token(x, from, to, d, n);
    }
}

static void find_money(struct numbers *x)
{
    static const char *const money[] = {"元", "块", "毛", "角", "圆", "rmb", "usd", "刀", NULL};
    const struct view *v = x->v, *plain = &x->t->f->view[VIEW_PLAIN];
    for (uint32_t i = 0; i < v->n; i++) {
        if (!is_digit(v->cp[i]) && v->cp[i] != 0x51e0 && v->cp[i] != 0x5341 && v->cp[i] != 0x767e) /* 几 十 百 */
            continue;
        uint32_t from = i;
        while (i + 1 < v->n && v->gap[i + 1] <= 1 &&
               (is_digit(v->cp[i + 1]) || v->cp[i + 1] == 0x5341 || v->cp[i + 1] == 0x767e))
            i++;
        uint32_t b = v->from[from];
        bool has_sign = is_digit(v->cp[from]) && ((b >= 2 && memcmp(x->t->text.p + b - 2, "¥", 2) == 0) ||
                                                  (b >= 3 && memcmp(x->t->text.p + b - 3, "￥", 3) == 0) ||
                                                  (b >= 1 && x->t->text.p[b - 1] == '$'));
        bool has_word = false;
        for (size_t w = 0; money[w] && i + 1 < v->n && v->gap[i + 1] <= 1 && !has_word; w++)
            has_word = units_are(v, i + 1, v->n, money[w]);
        (void)plain;
        if (has_word || has_sign)
            add(x, DETECT_MONEY, from, i + 1 + (has_word ? 1 : 0));
    }
}

static bool is_code_char(uint32_t cp)
{
    return is_latin(cp) || is_digit(cp);
}

static bool says_identity(const struct view *v, uint32_t at)
{
    static const char *const words[] = {"身份", "证", "id", NULL};
    return last_of(v, at > ID_LOOK_BACK ? at - ID_LOOK_BACK : 0, at, words) >= 0;
}

/* The check character of A123456(3), which stands in brackets behind the run; 0: none. */
static char bracketed(const struct numbers *x, const struct view *p, uint32_t to)
{
    const uint8_t *text = x->t->text.p;
    uint32_t b = to < p->n ? p->from[to] : 0;
    bool is_alone = to + 1 >= p->n || p->gap[to + 1] > 0 || (to < p->n && !is_code_char(p->cp[to + 1]));
    if (to >= p->n || p->gap[to] != 1 || !is_alone || !is_code_char(p->cp[to]))
        return 0;
    bool is_open = text[b - 1] == '(' || (b >= 3 && memcmp(text + b - 3, "（", 3) == 0);
    return is_open ? (char)p->cp[to] : 0;
}

/* Letters and digits in a row that a check digit tells to be a number of another kind: a company's, which is public, is
 * stepped over; identity numbers of Taiwan and Hong Kong are reported. *i is the last unit of it then. */
static bool is_coded(struct numbers *x, uint32_t *i)
{
    const struct view *p = &x->t->f->view[VIEW_PLAIN]; /* the digit view may take a letter for a digit */
    char code[CODE_MAX + 2] = "";
    uint32_t from = *i, n = 0;
    if (!is_code_char(p->cp[from])) /* a digit in Chinese behind a code */
        return false;
    while (from > 0 && p->gap[from] == 0 && is_code_char(p->cp[from - 1])) {
        if (*i - from == CODE_MAX)
            return false; /* longer than any code */
        from--;
    }
    while (from + n < p->n && n <= CODE_MAX && (n == 0 || p->gap[from + n] == 0) && is_code_char(p->cp[from + n])) {
        code[n] = (char)p->cp[from + n];
        n++;
    }
    if (n == CODE_MAX && detect_is_company(code) && !detect_is_id_card(code, code[17])) {
        *i = from + n - 1;
        return true;
    }
    char check = n == 7 || n == 8 ? bracketed(x, p, from + n) : 0;
    bool is_id = detect_is_taiwan_id(code) || (detect_is_hong_kong_id(code) && says_identity(p, from));
    if (check) {
        code[n++] = check;
        is_id = detect_is_hong_kong_id(code);
    }
    if (!is_id || is_order_number(p, from))
        return false;
    add(x, DETECT_ID_CARD, from, from + n);
    *i = from + n - 1;
    return true;
}

void detect_numbers(const struct detect_text *t, struct detect_list *out)
{
    struct numbers x = {.t = t, .v = &t->f->view[VIEW_DIGIT], .out = out};
    const struct view *v = x.v;
    uint32_t digits = 0;
    for (uint32_t i = 0; i < v->n; i++)
        digits += is_digit(v->cp[i]);
    for (uint32_t i = 0; digits >= DIGITS_MIN && i < v->n; i++) {
        if (!is_digit(v->cp[i]))
            continue;
        if (is_coded(&x, &i))
            continue;
        x.n = 0;
        x.token[x.n++] = (struct token){i, i + 1, false};
        uint32_t k = i + 1;
        for (; k < v->n && is_digit(v->cp[k]); k++) {
            if (v->gap[k] == 0) {
                x.token[x.n - 1].to = k + 1;
            } else {
                if (v->gap[k] > GAP_IN_NUMBER || x.n == TOKENS_MAX)
                    break;
                bool has_mark = detect_has_punctuation(t->text, v->to[k - 1], v->from[k], NULL);
                x.token[x.n++] = (struct token){k, k + 1, has_mark};
            }
        }
        judge_run(&x);
        i = k - 1;
    }
    find_money(&x);
}
