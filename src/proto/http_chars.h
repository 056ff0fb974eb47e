/* Character classes of RFC 9110 and 9112, and the walk over comma-separated lists; shared by the http_*.c files. */
#pragma once

#include "base/span.h"

/* RFC 9110 5.6.2 tchar. */
bool http_is_tchar(uint8_t c);
/* Not empty and tchar only. */
bool http_is_token(struct span s);
/* What a field value or a reason phrase may hold: HTAB, SP, visible ASCII, bytes from 0x80 on. */
bool http_is_text(struct span s);
/* -1 when c is not a hexadecimal digit. */
int http_hex(uint8_t c);
/* Takes the next element of a comma-separated list off the front of *list, white space trimmed; empty elements are
 * skipped (RFC 9110 5.6.1.2). False at the end. */
bool http_next_element(struct span *list, struct span *element);
