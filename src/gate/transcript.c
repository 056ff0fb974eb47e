#include "gate/transcript.h"

#include "base/utf8.h"
#include "gate/capture_mask.h"
#include "gate/inspect.h"

/* One text with its edits made; they are sorted and disjoint. */
static void append_edited(struct buf *b, struct span text, size_t at, const struct judged *j)
{
    uint32_t done = 0;
    for (size_t i = 0; j && i < j->n_edits; i++) {
        const struct text_edit *e = &j->edit[i];
        if (e->text != at || e->from < done || e->to > text.n)
            continue;
        buf_append(b, text.p + done, e->from - done);
        buf_append_span(b, e->with);
        done = e->to;
    }
    buf_append(b, text.p + done, text.n - done);
}

void transcript_fill(struct session *s, const struct unit *u, const struct judged *j, struct track_event *ev)
{
    struct worker *w = s->w;
    const struct conf *c = w->snap->conf;
    if (!c->transcripts.is_on || !w->ring)
        return;
    struct buf b = {0};
    ev->said_keep_ms = c->transcripts.keep_ms;
    for (size_t i = 0; i < u->n_texts && b.len <= EVENT_SAID_MAX; i++) { /* more would be cut anyway */
        if (i)
            buf_append(&b, "\n", 1);
        append_edited(&b, u->text[i], i, j);
    }
    struct span text = buf_span(&b);
    if (text.n > EVENT_SAID_MAX + 4) /* still longer than fits: the event says that it is cut */
        text.n = utf8_valid_prefix(span_of(text.p, EVENT_SAID_MAX + 4));
    if (!c->transcripts.is_full && text.n)
        text = capture_mask_text(w->mask, text);
    ev->said = text.n ? span_of(arena_strdup(&w->arena, text), text.n) : text;
    buf_fini(&b);
}
