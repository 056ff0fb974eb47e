/* Whether an earlier text of a window and a new one can hit together (inside of src/rule). To join them and to judge
 * the joined text costs more than to judge the new text alone, and ordinary talk almost never needs it.
 *
 *   earlier texts      … 留 个 | 您 的 包 裹 到 了        near the end:  groups whose word ends within reach of the end
 *   new text                                | 加 我 …     near the start: groups whose word begins within reach of it
 *                                           ^ border     pairs: does any word hold 了加 side by side?
 *
 * A hit over the border has a word, number or match that lies on both sides, or two words of one `near`, one on each
 * side, not farther apart than that `near` allows. Both are ruled out from what each text was found to hold when it
 * was judged alone: its note. All that the border could change in how the texts are read (letters, numerals, signs,
 * doubled characters, combining marks) counts as a hit. What is ruled out here is never a hit of the joined text; the
 * other way round does not hold. */
#pragma once

#include "rule/sheet.h"

struct window_plan;

/* After the finders were built; sets side->plan and the terms' window_use. */
void window_build(struct side *side);
void window_fini(struct side *side);

/* What a text begins or ends with. */
enum window_edge {
    EDGE_OTHER, /* a sign, a single letter or digit, a character of another script: whatever is beside it may matter */
    EDGE_HAN,
    EDGE_ALNUM, /* two or more Latin letters or digits */
};

/* How a text begins. */
struct window_start {
    uint32_t first[WINDOW_UNITS], first_syllable[WINDOW_UNITS]; /* the first unit, the next …, 0: there is none */
    uint16_t first_part;                                        /* units before the first separator */
    uint8_t edge, begins;                                       /* begins: enum part_end */
    bool is_numeral, is_money, is_plain;                        /* is_plain: none of these units is read as another */
};

/* From a sheet of one whole text alone, with all words found. */
void window_take_note(struct sheet *s, struct window_note *note, struct window_start *start);
/* Whether the texts, the new one last, may hit together; `s` and `start` are the new one's, and so is the note, in
 * which is kept how it follows and which words lie on the border. */
bool window_may_hit(const struct sheet *s, const struct window_note *const *before, size_t n,
                    const struct window_start *start, struct window_note *note);
/* After the words of the joined text were found: those that lie on the border at byte `border` go into the note, so
 * that it need not be looked at once more for the next message. */
void window_settle(const struct sheet *joined, uint32_t border, struct window_note *note);
