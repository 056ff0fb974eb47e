/* The board's /metrics: its own work, and the service's figures over all teams (docs/board.md, "Metrics"). */
#pragma once

#include "base/buf.h"

struct board;

/* Counts as somebody who looks: while it is scraped, Redis is read. */
void board_metrics(void *board, struct buf *out);
