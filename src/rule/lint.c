#include "rule/lint.h"

#include "base/buf.h"
#include "rule/judge.h"
#include "rule/model.h"

/* What agents say all day long. No rule that blocks or rewrites may hit any of it. */
static const char *const ordinary_talk[] = {
    "您好，请问有什么可以帮您",
    "亲，在的，请问您想咨询哪一款",
    "好的，请您稍等，我帮您查一下",
    "这款有现货，今天下单今天发货",
    "您的订单已经发出，快递单号是 75312345678901",
    "快递员会提前电话联系您，请保持手机畅通",
    "最近天气热，收到后请尽快放进冰箱",
    "麻烦您提供一下订单号",
    "运费险会在退款后自动赔付到您的账户",
    "退款会原路退回，一般1到3个工作日到账",
    "请问您的身高体重是多少，我帮您推荐尺码",
    "这款是纯棉的，建议手洗，不要用热水",
    "优惠券可以在下单页面直接领取",
    "不好意思让您久等了",
    "我们会第一时间为您处理",
    "收到付款后48小时内发货",
    "麻烦您参加活动前先看一下说明",
    "感谢您的支持，期待您的评价",
    "这边帮您登记了，两小时内给您回复",
    "不客气，还有其他问题随时找我",
};

static void lint_words(const struct side *s, const struct rule *r, struct err_list *out)
{
    for (size_t i = 0; i < r->n_use; i++) {
        const struct term *t = &s->term[r->use[i].term];
        if (r->use[i].role == ROLE_WORD && t->form == TERM_PLAIN && t->n == 1 && !r->n_not_near && !r->at)
            err_list_add(out,
                         "%s:%d: %s: the one-character word \"%s\" stands in many harmless words; give it a context "
                         "(near, at, not_near)",
                         r->file, r->line, r->id, t->text);
    }
}

struct cover {
    const struct side *side;
    const struct rule *rule;
    uint32_t self, by;
    bool is_covered;
};

static int on_inside(void *arg, uint32_t id, uint32_t from, uint32_t n)
{
    struct cover *c = arg;
    (void)from, (void)n;
    if (id == c->self)
        return 0;
    for (uint32_t i = 0; i < c->side->term[id].n_wake; i++)
        if (c->side->term[id].wake[i].rule == c->rule->number && c->side->term[id].wake[i].bit == BIT_WORDS) {
            c->by = id;
            c->is_covered = true;
            return -1;
        }
    return 0;
}

/* A word that holds another word of the same rule can never add a hit; allow phrases and replacements are the
 * exceptions. */
static void lint_covered(const struct side *s, const struct rule *r, struct err_list *out)
{
    bool has_unless = r->rewrite == REWRITE_MAP;
    for (size_t i = 0; i < r->n_use; i++)
        has_unless |= r->use[i].role == ROLE_UNLESS;
    unsigned told = 0;
    for (size_t i = 0; i < r->n_use && !has_unless && !r->has_border && told < 5; i++) {
        struct cover c = {s, r, r->use[i].term, 0, false};
        const struct term *t = &s->term[c.self];
        if (r->use[i].role != ROLE_WORD || t->form != TERM_PLAIN)
            continue;
        (void)match_scan(s->all.plain, t->cp, t->n, on_inside, &c);
        if (c.is_covered)
            err_list_add(out, "%s:%d: %s: \"%s\" adds nothing, \"%s\" stands in it", r->file, r->line, r->id, t->text,
                         s->term[c.by].text),
                told++;
    }
}

static void lint_rule(const struct side *s, const struct rule *r, struct err_list *out)
{
    lint_words(s, r, out);
    lint_covered(s, r, out);
    for (unsigned i = 0; i < r->n_regex; i++) {
        if (!r->regex[i].has_literal)
            err_list_add(out,
                         "%s:%d: %s: no literal can be read from the pattern \"%s\", so that it runs on every message",
                         r->file, r->line, r->id, r->regex[i].pattern);
        for (const char *p = r->regex[i].pattern; *p && r->regex[i].on != ON_RAW; p++) {
            bool is_escape = p > r->regex[i].pattern && p[-1] == '\\';
            if (*p >= 'A' && *p <= 'Z' && !is_escape && !strstr(r->regex[i].pattern, "(?<") &&
                !strstr(r->regex[i].pattern, "\\p")) {
                err_list_add(out, "%s:%d: %s: the capital letter %c of the pattern never matches folded text", r->file,
                             r->line, r->id, *p);
                break;
            }
        }
    }
    if (r->detect & (1u << DETECT_WECHAT_ID | 1u << DETECT_QQ | 1u << DETECT_NUMBER))
        err_list_add(out,
                     "%s:%d: %s: wechat_id, qq and number alone hit order numbers and model names; use them in near, "
                     "beside a word",
                     r->file, r->line, r->id);
    if (r->dir == DIR_OUTGOING && r->has_action && r->action >= ACTION_REWRITE && !r->notice[0] &&
        r->action != ACTION_REWRITE)
        err_list_add(out, "%s:%d: %s: blocks without a notice; tell the agent what to say instead", r->file, r->line,
                     r->id);
}

static void lint_talk(const struct ruleset *s, struct err_list *out)
{
    struct rule_scratch *scratch = rule_scratch_new();
    for (size_t i = 0; i < ARRAY_LEN(ordinary_talk); i++) {
        struct rule_input in = {
            .dir = DIR_OUTGOING, .text = {span_str(ordinary_talk[i])}, .n_texts = 1, .now_ms = 1700000000000};
        struct verdict v;
        ruleset_judge(s, scratch, &in, &v);
        for (size_t k = 0; k < v.n_hits; k++)
            if (v.hit[k].action >= ACTION_REWRITE)
                err_list_add(out, "%s:%d: %s: hits ordinary service talk: \"%s\"", v.hit[k].rule->file,
                             v.hit[k].rule->line, v.hit[k].rule->id, ordinary_talk[i]);
    }
    rule_scratch_free(&scratch);
}

void ruleset_lint(const struct ruleset *s, struct err_list *out)
{
    for (size_t i = 0; i < s->n_rules; i++)
        lint_rule(&s->side[s->rule[i]->dir], s->rule[i], out);
    lint_talk(s, out);
}

/* ---- facts ---- */

/* What is asked of one fact: whether this value is, and all values, each once. */
struct asked {
    const char *fact;
    size_t name_len; /* up to and with the = */
    bool is_known;
    struct buf values;
};

static void note_asked(struct asked *a, const struct names *facts)
{
    for (size_t i = 0; i < facts->n; i++) {
        const char *f = facts->name[i], *value = f + a->name_len;
        char word[200];
        if (strncmp(f, a->fact, a->name_len) != 0)
            continue;
        a->is_known |= strcmp(f, a->fact) == 0;
        snprintf(word, sizeof(word), " %s ", value);
        if (!strstr(buf_cstr(&a->values), word))
            buf_printf(&a->values, "%s%s ", a->values.len ? "" : " ", value);
    }
}

static void note_when(struct asked *a, const struct rule_when *w)
{
    note_asked(a, &w->facts);
    note_asked(a, &w->absent);
}

static void note_rules(struct asked *a, struct rule *const *rule, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        note_when(a, &rule[i]->when);
        for (size_t k = 0; k < rule[i]->n_variants; k++)
            note_when(a, &rule[i]->variant[k].when);
    }
}

void ruleset_lint_fact(const struct ruleset *s, const char *where, const char *fact, struct err_list *out)
{
    const char *equals = strchr(fact, '=');
    struct asked a = {.fact = fact};
    if (!equals)
        return;
    a.name_len = (size_t)(equals - fact) + 1;
    note_rules(&a, s->rule, s->n_rules);
    note_rules(&a, s->off, s->n_off);
    if (!a.is_known && a.values.len)
        err_list_add(out, "%s: no rule asks for %s; they ask for%s", where, fact, buf_cstr(&a.values));
    buf_fini(&a.values);
}
