/* What was said, for the transcript store (`transcripts:`): put into the event that is recorded anyway. */
#pragma once

#include "gate/session.h"

struct unit;
struct judged;

/* Fills ev->said with the texts of a message as they went on, or, refused, as they came; masked unless configured. `j`
 * NULL: not judged. Nothing when transcripts are off. The text lives until the next inspect_reset. */
void transcript_fill(struct session *s, const struct unit *u, const struct judged *j, struct track_event *ev);
