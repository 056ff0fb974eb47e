/* Rules by a classifier: they are asked of messages that no rule of words has anything to say about. */
#include "rule/classifier.h"
#include "rule/judge_pass.h"

enum { SENTENCE_LEAST = 5 /* Chinese characters; shorter ones say too little */, CHINESE_FROM = 0x2e80 };

/* What reads most like its label. */
struct likely {
    const struct rule *rule;
    uint32_t from, to; /* units */
    float above;
};

static bool is_asked(const struct pass *p, const struct rule *r)
{
    const struct sheet *s = &p->scratch->sheet;
    uint32_t units = s->plain.view[VIEW_PLAIN].n;
    return (!p->only || p->only == r) && units >= r->length_min && units <= r->length_max &&
           eval_applies(&p->scratch->eval, r);
}

static void tell(struct pass *p, const struct likely *best)
{
    struct eval *e = &p->scratch->eval;
    const struct view *v = &e->sheet->plain.view[VIEW_PLAIN];
    struct classifier_run run[HIT_PIECES_MAX];
    struct found f = {.from = best->from, .to = best->to, .bfrom = v->from[best->from], .bto = v->to[best->to - 1]};
    size_t n = classifier_explain(e->sheet->side->classifier, v->cp + f.from, f.to - f.from,
                                  best->rule->classified.label, run, HIT_PIECES_MAX);
    for (size_t i = 0; i < n; i++) {
        uint32_t from = f.from + run[i].from, to = f.from + run[i].to;
        f.piece[f.n_pieces++] = (struct piece){.from = from,
                                               .to = to,
                                               .bfrom = v->from[from],
                                               .bto = v->to[to - 1],
                                               .role = ROLE_NONE,
                                               .occurrence = -1,
                                               .detection = -1};
    }
    f.edit_bfrom = f.bfrom, f.edit_bto = f.bto;
    eval_whole(e, best->rule, &f);
}

static void consider(struct pass *p, const float *score, uint32_t from, uint32_t to, struct likely *best)
{
    const struct side *side = p->scratch->sheet.side;
    for (size_t i = 0; i < side->n_classified; i++) {
        const struct rule *r = side->rule[side->classified[i]];
        struct likely this = {r, from, to, score[r->classified.label] - r->classified.least};
        if (this.above < 0 || !is_asked(p, r))
            continue;
        if (r->is_shadow)
            tell(p, &this);
        else if (!best->rule || this.above > best->above)
            *best = this;
    }
}

/* Models are made of Chinese sentences; a key's name or an address is none. */
static bool is_chinese(const uint32_t *unit, uint32_t n)
{
    uint32_t chinese = 0;
    for (uint32_t i = 0; i < n && chinese < SENTENCE_LEAST; i++)
        chinese += unit[i] >= CHINESE_FROM;
    return chinese >= SENTENCE_LEAST;
}

void judge_classify(struct pass *p)
{
    struct sheet *s = &p->scratch->sheet;
    const struct view *v = &s->plain.view[VIEW_PLAIN];
    if (!s->side->n_classified || p->in_window || p->is_again || v->n < SENTENCE_LEAST)
        return;
    if (p->out->action != ACTION_PASS || p->out->opens_case)
        return;
    struct likely best = {0};
    sheet_need_clauses(s);
    for (uint32_t from = 0, to; from < v->n; from = to) {
        float score[CLASSIFIER_LABELS_MAX];
        for (to = from + 1; to < v->n && s->sentence[to] == s->sentence[from];)
            to++;
        if (!is_chinese(v->cp + from, to - from))
            continue;
        classifier_score(s->side->classifier, v->cp + from, to - from, score);
        consider(p, score, from, to, &best);
    }
    if (best.rule)
        tell(p, &best);
}
