/* A JSON answer as text for people: `key: value`, indented. */
#pragma once

#include "proto/json.h"

/* Prints value i (0: nothing). Lists of plain values stand in one line. */
void json_print(FILE *to, const struct json_doc *doc, uint32_t i);
/* Prints all members of the root but `ok`; names only those that are plain values. */
void json_print_answer(FILE *to, const struct json_doc *doc);
/* Prints the lines of the root's member `errors`, then its member `error`. */
void json_print_errors(FILE *to, const struct json_doc *doc);
/* One string or other plain value without quotes; control characters are shown as '?', nothing as '-'. */
void json_print_plain(FILE *to, const struct json_doc *doc, uint32_t i);
