/* The text once more with every spelling replaced by what it stands for (`variants: true`), and the way back to what
 * was typed (inside of src/rule):
 *
 *   typed    加 彳 微 亻 言        swaps  彳微 -> 微, 亻言 -> 信
 *   variant  加 微 信              from, to: bytes of the typed text; is_swapped: which bytes stand for others
 *
 * Swaps are the listed spellings that the words' own scan has met, characters doubled in a row (微微信信), digits that
 * stand for letters (w3ixin), and Bopomofo (ㄨㄟ for wei). */
#pragma once

#include "rule/model.h"

enum { SWAP_BYTES_MAX = 8 };

struct swap {
    uint32_t bfrom, bto; /* of the typed text */
    uint32_t spelling;   /* number + 1; 0: `with` is fixed */
    uint8_t n, with[SWAP_BYTES_MAX];
};

struct variant {
    struct swap *swap;
    uint32_t n_swaps, swaps_cap;
    uint8_t *text, *is_swapped; /* n bytes, as the maps */
    uint32_t *from, *to;
    uint32_t n, cap;
    struct fold_scratch *fold;
    struct folded f; /* of `text` */
};

void variant_init(struct variant *v);
void variant_fini(struct variant *v);
void variant_add(struct variant *v, const struct swap *s);
/* Adds the swaps that no list names. */
void variant_add_unlisted(struct variant *v, const struct view *plain);
/* Sorts the swaps, drops those that overlap better ones; how many ways of reading them there are (0: no swaps). */
unsigned variant_choose(struct variant *v, const struct side *side);
/* Writes and folds the variant text; way: which of several characters a spelling is read as. */
void variant_build(struct variant *v, const struct side *side, const struct folded *line, unsigned way, unsigned want);
/* Whether bytes [from, to) of the variant text hold a swapped one. */
bool variant_has_swap(const struct variant *v, size_t from, size_t to);
