/* Messages recorded as delivered whose bytes still wait in our own queue: when the backend's connection breaks, they
 * never got there, and their rounds are opened again. */
#include "gate/inspect.h"

/* The queue to the backend is bounded, and so are the messages in it: this is only the last resort. */
enum { UNSENT_BYTES_MAX = 4 * 1024 * 1024 };

/* A message that was recorded as delivered; the ids follow it. */
struct note {
    uint64_t end;
    uint16_t len[3]; /* conversation, customer, message id */
};

void unsent_begin(struct session *s)
{
    s->w->notes_of = s;
}

static size_t note_bytes(const struct note *n)
{
    return sizeof(*n) + n->len[0] + n->len[1] + n->len[2];
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

size_t unsent_mark(const struct session *s)
{
    return s->w->notes.len;
}

void unsent_move(struct session *s, size_t mark, uint64_t end)
{
    uint8_t *p = s->w->notes.data + s->w->notes.start;
    for (size_t at = mark; at < s->w->notes.len;) {
        struct note note;
        memcpy(&note, p + at, sizeof(note));
        note.end = end;
        memcpy(p + at, &note, sizeof(note));
        at += note_bytes(&note);
    }
}

/* Forgets what the socket took meanwhile: a backend that is slow all day never lets the queue run empty. */
static void forget_gone(struct session *s)
{
    uint64_t gone = s->sent_bytes - conn_queued(&s->backend);
    while (s->unsent.len) {
        struct note note;
        memcpy(&note, buf_span(&s->unsent).p, sizeof(note));
        if (note.end > gone)
            return;
        buf_consume(&s->unsent, note_bytes(&note));
    }
}

void unsent_settle(struct session *s)
{
    struct buf *b = &s->w->notes;
    if (b->len && s->state != SS_DEAD && s->backend.state == CONN_OPEN && conn_queued(&s->backend)) {
        forget_gone(s);
        if (s->unsent.len + b->len <= UNSENT_BYTES_MAX)
            buf_append_span(&s->unsent, buf_span(b));
    }
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
    buf_fini(&s->unsent);
    if (s->w->notes_of == s) {
        give_back(s, buf_span(&s->w->notes));
        buf_reset(&s->w->notes);
    }
}
