/* The text once more with every spelling replaced by what it stands for (`variants: true`), and the way back to what
 * was typed (inside of src/rule):
 *
 *   typed    加 彳 微 亻 言        swaps  彳微 -> 微, 亻言 -> 信
 *   variant  加 微 信              from, to: bytes of the typed text; is_swapped: which bytes stand for others
 *
 * Swaps are the listed spellings that the words' own scan has met, doubled characters (加微微信), digits that stand for
 * letters or tones (w3ixin, wei1xin4) or numerals (第1), Bopomofo (ㄨㄟ for wei), and kana or a repeated letter or
 * digit used as separators (支ノ付ノ宝, 最o先o进, 微1信). */
#pragma once

#include "rule/model.h"

enum { SWAP_BYTES_MAX = 8 };
enum swapped { SWAPPED_NOT, SWAPPED, SWAPPED_DOUBLED };

struct swap {
    uint32_t bfrom, bto; /* of the typed text */
    uint32_t spelling;   /* number + 1; 0: `with` is fixed */
    uint8_t n, with[SWAP_BYTES_MAX];
    uint8_t n_alt; /* 0: none. The first n_alt bytes of `with` are the other reading: without a tone's digit */
    bool is_doubled;
    bool is_out; /* another swap of this way of reading overlaps it */
};

struct variant {
    struct swap *swap;
    uint32_t n_swaps, swaps_cap;
    bool has_overlaps;
    uint8_t *text, *is_swapped; /* n bytes, as the maps; is_swapped: enum swapped */
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
/* Sorts the swaps; how many ways of reading them there are (0: no swaps). */
unsigned variant_ways(struct variant *v, const struct side *side);
/* Writes and folds the variant text; way: which of several characters a spelling is read as, and which of overlapping
 * swaps count (the first ones, from the left or from the right). */
void variant_build(struct variant *v, const struct side *side, const struct folded *line, unsigned way, unsigned want);
/* Whether bytes [from, to) of the variant text hold a swapped one; a doubled character alone (嗯嗯) does not count. */
bool variant_has_swap(const struct variant *v, size_t from, size_t to);
