/* Messages recorded as delivered whose bytes still wait in our own queue: when the backend's connection breaks, they
 * never got there, and their rounds are opened again. */
#include "gate/inspect.h"

enum { UNSENT_BYTES_MAX = 64 * 1024 };

/* A message that was recorded as delivered; the ids follow it. */
struct note {
    uint64_t end;
    uint16_t len[3]; /* conversation, customer, message id */
};

void unsent_begin(struct session *s)
{
    s->w->notes_of = s;
}

/* Packed into the worker's buffer; kept with the session only when the backend is slow. */
void unsent_note(struct session *s, const struct track_event *ev, uint64_t end)
{
    struct buf *b = &s->w->notes;
    const struct span ids[3] = {ev->conv, ev->customer, ev->mid};
    struct note note = {.end = end};
    for (int i = 0; i < 3; i++)
        note.len[i] = (uint16_t)MIN_OF(ids[i].n, (size_t)EVENT_FIELD_MAX);
    buf_append(b, &note, sizeof(note));
    for (int i = 0; i < 3; i++)
        buf_append(b, ids[i].p, note.len[i]);
}

void unsent_settle(struct session *s)
{
    struct buf *b = &s->w->notes;
    bool is_open = s->state == SS_WS || s->state == SS_XMPP;
    if (is_open && conn_queued(&s->backend) && s->unsent.len < UNSENT_BYTES_MAX)
        buf_append_span(&s->unsent, buf_span(b));
    buf_reset(b);
    s->w->notes_of = NULL;
}

static void give_back(struct session *s, struct span notes)
{
    uint64_t gone = s->sent_bytes - conn_queued(&s->backend);
    while (notes.n >= sizeof(struct note)) {
        struct note note;
        memcpy(&note, notes.p, sizeof(note));
        struct span id[3];
        size_t at = sizeof(note);
        for (int i = 0; i < 3; i++) {
            id[i] = span_of(notes.p + at, note.len[i]);
            at += note.len[i];
        }
        if (note.end > gone)
            inspect_refused_later(s, id[0], id[1], id[2]);
        notes = span_from(notes, at);
    }
}

void unsent_give_back(struct session *s)
{
    give_back(s, buf_span(&s->unsent));
    if (s->w->notes_of == s)
        give_back(s, buf_span(&s->w->notes));
}
