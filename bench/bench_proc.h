/* What a process has cost: run time and memory, from /proc. */
#pragma once

#include "base/attr.h"

enum { PROCS_MAX = 16 };

/* The processes of one target; none: n is 0. */
struct procs {
    int pid[PROCS_MAX];
    size_t n;
};
/* "123" or "123,124". */
int procs_parse(struct procs *p, const char *text);
/* Run time of all threads in ns (schedstat; where the kernel has none, user and system ticks); -1: one is gone. */
int64_t procs_cpu_ns(const struct procs *p);
/* Resident memory in bytes; -1: one is gone. */
int64_t procs_rss_bytes(const struct procs *p);
/* The highest it ever was. */
int64_t procs_rss_peak_bytes(const struct procs *p);
/* Kernel memory in slabs, in bytes (both ends of every loopback connection and all else on the machine). */
int64_t machine_slab_bytes(void);
/* Runs this process on one core from now on; -1: not possible. */
int pin_to_core(long core);
/* Raises the soft limit of descriptors to the hard one and returns it. */
long raise_descriptor_limit(void);
