/* Latency distributions as text, in the percentile format that HdrHistogram's tools read and plot (".hgrm"). */
#pragma once

#include "base/hist.h"

/* Writes DIR/NAME.hgrm, values in microseconds; makes the folder. 0, or -1 after a line on standard error. */
int hgrm_write(const char *dir, const char *name, const struct hist *ns);
