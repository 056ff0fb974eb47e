/* Socket files left over from a daemon that was killed. */
#pragma once

#include "base/err.h"

/* Removes the socket file at `path` if nobody listens on it. 0: the path is free now; -1 and err (beginning with
 * `what`, the configuration's key): in use, or no socket. */
int stale_remove(const char *path, const char *what, struct err *e) MUST_CHECK;
