/* The second half of reading a head: what its fields say about framing, connection and upgrade. Used by http.c alone.
 */
#pragma once

#include "proto/http.h"

/* After the lines of a request were read: checks target and Host, sets framing and the flags. -1: refuse with *status.
 */
int http_mean_request(struct http_head *h, int *status, struct err *e) MUST_CHECK;
int http_mean_response(struct http_head *h, struct span request_method, struct err *e) MUST_CHECK;
