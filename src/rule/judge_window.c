/* The first text of a message joined to the last texts before it, for rules with a window. */
#include "rule/judge_pass.h"

enum {
    TAIL_BYTES_MAX = 1024,      /* of an earlier text of a window */
    HEAD_BYTES_MAX = 16 * 1024, /* of the text behind them */
};

bool judge_takes_note(const struct pass *p)
{
    return p->set->side[p->in->dir].plan && !p->only && !p->is_again && !p->scratch->trace;
}

static struct span tail_of(struct span t)
{
    size_t cut = t.n > TAIL_BYTES_MAX ? t.n - TAIL_BYTES_MAX : 0;
    while (cut < t.n && (t.p[cut] & 0xc0) == 0x80)
        cut++;
    return span_from(t, cut);
}

static struct span head_of(struct span t)
{
    size_t n = MIN_OF(t.n, (size_t)HEAD_BYTES_MAX);
    while (n < t.n && n > 0 && (t.p[n] & 0xc0) == 0x80)
        n--;
    return span_of(t.p, n);
}

static bool is_word_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Sent apart, "V" and "mango_2021" are two words, 138 and 00138000 two groups of digits. */
static void append_text(struct buf *b, struct span t)
{
    bool is_split = b->len && t.n && is_word_byte(b->data[b->start + b->len - 1]) && is_word_byte(t.p[0]);
    if (is_split)
        buf_append_str(b, " ");
    buf_append_span(b, t);
}

/* The earlier texts that count, as numbers; how many. */
static size_t window_of(const struct side *side, const struct rule_input *in, size_t which[WINDOW_MAX])
{
    size_t n = 0;
    for (size_t i = 0; side->n_windowed && i < MIN_OF(in->n_before, (size_t)WINDOW_MAX); i++)
        if (in->now_ms - in->before_ms[i] <= side->window_ms && in->n_before - i <= side->window_messages)
            which[n++] = i;
    return n;
}

void judge_note_window(struct pass *p, struct span text)
{
    struct rule_scratch *s = p->scratch;
    const struct window_note *before[WINDOW_MAX];
    size_t which[WINDOW_MAX], n = window_of(s->sheet.side, p->in, which);
    window_take_note(&s->sheet, &p->out->note, &s->start);
    if (!n || text.n > HEAD_BYTES_MAX)
        return;
    for (size_t i = 0; i < n; i++) {
        before[i] = p->in->before_note[which[i]];
        if (p->in->before[which[i]].n > TAIL_BYTES_MAX)
            return; /* its note speaks of more than is joined */
    }
    p->is_apart = !window_may_hit(&s->sheet, before, n, &s->start, &p->out->note);
}

static void take_parts(struct sheet *s, const struct eval *e)
{
    for (unsigned i = 0; i < e->n_messages; i++)
        s->part_from[i] = e->message_from[i];
    s->part_from[e->n_messages] = e->window_from;
    s->n_parts = e->n_messages + 1;
}

void judge_window(struct pass *p, struct span text)
{
    const struct rule_input *in = p->in;
    struct eval *e = &p->scratch->eval;
    struct buf *b = &p->scratch->joined;
    size_t which[WINDOW_MAX], n = window_of(&p->set->side[in->dir], in, which);
    if (!n || p->is_apart)
        return;
    buf_reset(b);
    for (e->n_messages = 0; e->n_messages < n; e->n_messages++) {
        e->message_from[e->n_messages] = b->len;
        e->message_ms[e->n_messages] = in->before_ms[which[e->n_messages]];
        append_text(b, tail_of(in->before[which[e->n_messages]]));
    }
    if (!b->len)
        return;
    append_text(b, head_of(text));
    e->window_from = b->len - head_of(text).n;
    p->in_window = true;
    p->scratch->n_joined++;
    p->scratch->sheet.calendar = in->who.calendar;
    sheet_lay(&p->scratch->sheet, p->set, in->dir, buf_span(b), in->now_ms, true);
    take_parts(&p->scratch->sheet, e);
    window_settle(&p->scratch->sheet, e->window_from, &p->out->note);
    judge_sheet(p);
    p->in_window = false;
    e->window_from = 0;
}
