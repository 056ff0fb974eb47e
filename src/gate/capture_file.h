/* The files of a capture: capture-NODE-TIME.jsonl in one folder, one being written, the newest few kept. One thread. */
#pragma once

#include "base/err.h"
#include "base/span.h"

struct capture_file {
    char *dir, *node; /* owned */
    int64_t max_bytes, keep;
    int fd; /* -1: none open */
    int64_t bytes;
};

/* Another folder than before closes the file; the next line opens a new one. */
void capture_file_set(struct capture_file *f, const char *dir, int64_t max_bytes, int64_t keep);
/* Appends whole lines, at most max_bytes of them in a file; makes the folder (0700) and a new file (0600) when needed
 * and deletes the oldest ones of this node. A folder that others may enter is refused; a file that was deleted
 * meanwhile is followed by a new one. */
int capture_file_write(struct capture_file *f, struct span lines, struct err *e) MUST_CHECK;
void capture_file_close(struct capture_file *f);
void capture_file_fini(struct capture_file *f);
