#include "rule/eval.h"
#include "rule/literal.h"
#include "rule/sort.h"
#include "rule/when.h"

#include <fnmatch.h>

enum { REGEX_HITS_MAX = 16 };

/* ---- scope and facts ---- */

/* Globs; a leading `!` excludes. No list, or only exclusions that do not match: yes. */
static bool names_match(const struct names *l, struct span who)
{
    char name[256];
    bool has_wanted = false, is_wanted = false;
    snprintf(name, sizeof(name), "%.*s", (int)MIN_OF(who.n, sizeof(name) - 1), who.n ? (const char *)who.p : "");
    for (size_t i = 0; i < l->n; i++) {
        bool is_not = l->name[i][0] == '!';
        bool is_match = fnmatch(l->name[i] + is_not, name, 0) == 0;
        if (is_not && is_match)
            return false;
        has_wanted |= !is_not;
        is_wanted |= !is_not && is_match;
    }
    return is_wanted || !has_wanted;
}

const struct rule *eval_variant(const struct eval *e, const struct rule *r)
{
    for (size_t i = e->ignores_conditions ? 0 : r->n_variants; i-- > 0;)
        if (when_holds(&r->variant[i].when, e->who, e->sheet->now_ms))
            return r->variant[i].rule;
    return r;
}

bool eval_applies(const struct eval *e, const struct rule *r)
{
    const struct rule_who *w = e->who;
    if (e->ignores_conditions)
        return true;
    if (!when_holds(&r->when, w, e->sheet->now_ms) || (r->is_off && eval_variant(e, r)->is_off))
        return false;
    return (!r->shops.n || names_match(&r->shops, w->shop)) && (!r->teams.n || names_match(&r->teams, w->team)) &&
           (!r->roles.n || names_match(&r->roles, w->role)) && (!r->agents.n || names_match(&r->agents, w->agent));
}

/* ---- pieces ---- */

static void add_piece(struct eval *e, const struct piece *p)
{
    if (e->n_pieces < PIECES_MAX)
        e->piece[e->n_pieces++] = *p;
    else
        e->met_cut = true;
}

bool eval_takes(const struct rule *r, const struct use *u, const struct occurrence *o)
{
    bool is_spelled = u->role == ROLE_WORD || u->role == ROLE_GROUP || u->role == ROLE_KEY;
    if (o->gap > r->gap || (o->has_punctuation && !(r->has_punctuation && is_spelled)))
        return false;
    if (r->has_border && !o->has_border)
        return false;
    if (o->is_variant && !r->has_variants)
        return false;
    return !o->is_reading || o->same >= r->homophones_same;
}

static void collect_pieces(struct eval *e, const struct rule *r)
{
    const struct sheet *s = e->sheet;
    e->n_pieces = 0;
    for (uint32_t i = 0; i < s->n_occ; i++) {
        const struct occurrence *o = &s->occ[i];
        for (size_t u = rule_first_use(r, o->term); u < r->n_use && r->use[u].term == o->term; u++)
            if (eval_takes(r, &r->use[u], o))
                add_piece(e, &(struct piece){o->from, o->to, o->bfrom, o->bto, r->use[u].role, r->use[u].index,
                                             r->use[u].key, (int32_t)i, -1});
    }
}

static bool is_allowed_domain(const struct sheet *s, const struct rule *r, const struct detection *d)
{
    const struct names *lists[] = {&r->domains, &s->set->allow_domains};
    struct span host = span_of(s->more.line.p + d->host, d->host_len);
    size_t longest = 0;
    bool is_allowed = false;
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        for (size_t i = 0; i < lists[k]->n; i++) {
            bool is_not = lists[k]->name[i][0] == '!';
            struct span n = span_str(lists[k]->name[i] + is_not);
            if (n.n < longest || n.n > host.n || !span_eq_nocase(n, span_from(host, host.n - n.n)))
                continue;
            if (n.n < host.n && host.p[host.n - n.n - 1] != '.')
                continue;
            longest = n.n;
            is_allowed = !is_not;
        }
    return is_allowed;
}

/* Adds the detections of these kinds as pieces. */
static void collect_detections(struct eval *e, const struct rule *r, uint32_t kinds, uint8_t role, uint8_t index)
{
    struct sheet *s = e->sheet;
    sheet_detect(s, kinds);
    e->met_cut |= s->found.is_cut;
    for (size_t i = 0; i < s->found.n; i++) {
        const struct detection *d = &s->found.d[i];
        if ((kinds >> d->kind & 1) && !(d->kind == DETECT_URL && is_allowed_domain(s, r, d)))
            add_piece(e, &(struct piece){d->from, d->to, d->bfrom, d->bto, role, index, 0, -1, (int32_t)i});
    }
}

static bool overlaps(const struct piece *a, uint32_t bfrom, uint32_t bto)
{
    return a->bfrom < bto && bfrom < a->bto;
}

static bool is_longer(const struct piece *a, const struct piece *b)
{
    uint32_t na = a->to - a->from, nb = b->to - b->from;
    return na != nb ? na > nb : a->bto - a->bfrom > b->bto - b->bfrom;
}

void eval_tell_dropped(const struct eval *e, const struct rule *r, uint32_t bfrom, uint32_t bto, const struct piece *by,
                       const char *why)
{
    if (!e->trace)
        return;
    struct rule_trace t = {.what = TRACE_DROPPED, .rule = r, .from = bfrom, .to = bto, .why = why};
    if (by)
        t.by = span_of(e->sheet->text.p + by->bfrom, by->bto - by->bfrom);
    e->trace(e->trace_arg, &t);
}

static bool is_trigger(const struct piece *p)
{
    return p->role == ROLE_WORD || p->role == ROLE_GROUP;
}

/* Takes out pieces that a longer allow phrase overlaps (detected ones: any), and readings that never count. */
static void apply_unless(struct eval *e, const struct rule *r)
{
    for (uint32_t i = 0; i < e->n_pieces; i++) {
        struct piece *p = &e->piece[i];
        const struct piece *by = NULL;
        for (uint32_t k = 0; is_trigger(p) && k < e->n_pieces && !by; k++) {
            const struct piece *a = &e->piece[k];
            bool is_phrase = a->role == ROLE_UNLESS && (p->detection >= 0 || is_longer(a, p));
            bool is_reading =
                a->role == ROLE_NOT_READING && p->occurrence >= 0 && e->sheet->occ[p->occurrence].is_reading;
            if ((is_phrase || is_reading) && overlaps(a, p->bfrom, p->bto))
                by = a;
        }
        if (by)
            eval_tell_dropped(e, r, p->bfrom, p->bto, by, "allow phrase");
        if (by) /* stays in the list for nothing: phrases behind it must still be found */
            p->role = ROLE_NONE;
    }
}

/* ---- the four ways to hit ---- */

static void find_single(struct eval *e, const struct rule *r)
{
    for (uint32_t i = 0; i < e->n_pieces; i++) {
        const struct piece *p = &e->piece[i];
        bool is_inside = false;
        for (uint32_t k = 0; p->role == ROLE_WORD && k < e->n_pieces && !is_inside; k++) {
            const struct piece *q = &e->piece[k];
            bool is_same = q->bfrom == p->bfrom && q->bto == p->bto;
            is_inside =
                k != i && q->role == ROLE_WORD && q->bfrom <= p->bfrom && q->bto >= p->bto && (!is_same || k < i);
        }
        if (p->role != ROLE_WORD || is_inside)
            continue;
        struct found f = {.from = p->from, .to = p->to, .bfrom = p->bfrom, .bto = p->bto, .n_pieces = 1};
        f.piece[0] = *p;
        eval_consider(e, r, &f);
    }
}

/* Bytes [from, to) of what a regular expression saw, as bytes of the text as typed. */
static void map_back(const struct regex_text *x, size_t from, size_t to, uint32_t *bfrom, uint32_t *bto)
{
    *bfrom = (uint32_t)from, *bto = (uint32_t)to;
    if (!x->from || to <= from)
        return;
    *bfrom = x->from[from], *bto = x->to[to - 1];
    if (x->is_twice)
        *bfrom = x->variant->from[*bfrom], *bto = x->variant->to[*bto - 1];
}

/* A match on the variant text is new only where something was swapped. */
static bool is_new(const struct regex_text *x, const struct regex_hit *h)
{
    if (!x->variant)
        return true;
    return x->is_twice ? variant_has_swap(x->variant, x->from[h->from], x->to[h->to - 1])
                       : variant_has_swap(x->variant, h->from, h->to);
}

/* What words did not find is cleared by any allow phrase in it. */
static void consider_unless(struct eval *e, const struct rule *r, const struct found *f)
{
    for (uint32_t i = 0; i < e->n_pieces; i++)
        if (e->piece[i].role == ROLE_UNLESS && overlaps(&e->piece[i], f->bfrom, f->bto)) {
            eval_tell_dropped(e, r, f->bfrom, f->bto, &e->piece[i], "allow phrase");
            return;
        }
    eval_consider(e, r, f);
}

static void regex_hit(struct eval *e, const struct rule *r, const struct regex_text *x, const struct regex_hit *h)
{
    const struct view *v = &e->sheet->plain.view[VIEW_PLAIN];
    struct found f = {0};
    map_back(x, h->from, h->to, &f.bfrom, &f.bto);
    f.edit_bfrom = f.edit_bto = f.bto;
    if (h->edit_to > h->edit_from)
        map_back(x, h->edit_from, h->edit_to, &f.edit_bfrom, &f.edit_bto);
    f.from = detect_unit_at(v, f.bfrom);
    f.to = detect_unit_at(v, f.bto);
    consider_unless(e, r, &f);
}

static void find_regex_in(struct eval *e, const struct rule *r, const struct rule_regex *x, struct regex_text *in)
{
    struct span text = in->text;
    size_t start = 0;
    for (int n = 0; n < REGEX_HITS_MAX && start < text.n; n++) {
        struct regex_hit h;
        enum regex_result result = regex_find(x->re, e->sheet->regex, text, start, &h);
        if (result == REGEX_LIMIT)
            e->met_limit = true;
        if (result != REGEX_HIT)
            return;
        sheet_place(e->sheet, in);
        if (h.to > h.from && is_new(in, &h))
            regex_hit(e, r, in, &h);
        start = h.to > start ? h.to : start + 1;
        while (start < text.n && (text.p[start] & 0xc0) == 0x80)
            start++;
    }
}

/* False: the text has none of the characters that every match holds. Folding keeps digits and letters, so that the
 * line has those of the plain view; a text as typed may have others. */
static bool may_match(const struct sheet *s, const struct rule_regex *x)
{
    return !x->kinds || x->on == ON_RAW || (s->has_digits && x->kinds & LITERAL_DIGIT) ||
           (s->has_letters && x->kinds & LITERAL_LETTER);
}

static void find_regex(struct eval *e, const struct rule *r, const struct rule_regex *x)
{
    struct regex_text in;
    if (may_match(e->sheet, x)) {
        in = sheet_regex_text(e->sheet, x->on, false);
        find_regex_in(e, r, x, &in);
    }
    if (!r->has_variants || !e->sheet->has_variants || x->on == ON_RAW)
        return;
    in = sheet_regex_text(e->sheet, x->on, true);
    find_regex_in(e, r, x, &in);
}

static bool has_detected(struct sheet *s, uint32_t kinds)
{
    sheet_detect(s, kinds);
    for (size_t i = 0; i < s->found.n; i++)
        if (kinds >> s->found.d[i].kind & 1)
            return true;
    return s->found.is_cut;
}

/* Whether anything that makes the rule hit was seen at all. */
static bool has_trigger(struct sheet *s, const struct rule *r, uint64_t mask)
{
    if (mask & (uint64_t)1 << BIT_WORDS || rule_awake_regexes(r, mask) || (r->detect && has_detected(s, r->detect)))
        return true;
    for (unsigned i = 0; i < r->n_near; i++) {
        const struct near *near = &r->near[i];
        bool is_there = (mask & near->need) == near->need;
        for (unsigned g = 0; g < near->n_groups && is_there; g++)
            is_there = !near->detectors[g] || mask >> (BIT_GROUP + near->first_group + g) & 1 ||
                       has_detected(s, near->detectors[g]);
        if (is_there)
            return true;
    }
    return false;
}

static int by_place(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return x->bfrom < y->bfrom ? -1 : x->bfrom > y->bfrom; /* signs (➕🛰) stand between the same units */
}

/* What is detected for `not_near`; then all pieces in the order of the text. */
static void collect_context(struct eval *e, const struct rule *r)
{
    for (unsigned i = 0; i < r->n_not_near; i++)
        if (r->not_near[i].detectors)
            collect_detections(e, r, r->not_near[i].detectors, ROLE_NOT_NEAR, (uint8_t)i);
    sort_in_place(e->piece, e->n_pieces, sizeof(*e->piece), by_place);
}

void eval_whole(struct eval *e, const struct rule *r, const struct found *f)
{
    collect_pieces(e, r);
    collect_context(e, r);
    consider_unless(e, r, f);
}

void eval_rule(struct eval *e, const struct rule *r)
{
    struct sheet *s = e->sheet;
    uint64_t mask = sheet_mask(s, r->number);
    uint32_t units = s->plain.view[VIEW_PLAIN].n;
    if (units < r->length_min || units > r->length_max || !eval_applies(e, r) || !has_trigger(s, r, mask))
        return;
    collect_pieces(e, r);
    if (r->detect)
        collect_detections(e, r, r->detect, ROLE_WORD, 0);
    bool has_near = false;
    for (unsigned i = 0; i < r->n_near; i++) {
        const struct near *near = &r->near[i];
        if ((mask & near->need) != near->need)
            continue;
        has_near = true;
        for (unsigned g = 0; g < near->n_groups; g++)
            if (near->detectors[g])
                collect_detections(e, r, near->detectors[g], ROLE_GROUP, (uint8_t)(near->first_group + g));
    }
    collect_context(e, r);
    apply_unless(e, r);
    if (r->n_words || r->detect)
        find_single(e, r);
    for (unsigned i = 0; has_near && i < r->n_near; i++)
        if ((mask & r->near[i].need) == r->near[i].need)
            eval_near(e, r, &r->near[i]);
    uint32_t awake = r->n_regex ? rule_awake_regexes(r, mask) : 0;
    for (unsigned i = 0; i < r->n_regex; i++)
        if (awake >> i & 1)
            find_regex(e, r, &r->regex[i]);
}
