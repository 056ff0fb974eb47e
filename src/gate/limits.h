/* Connections per address; gate_admit and gate_leave (gate.h) use it. */
#pragma once

struct addr_limit;
struct addr_limit *addr_limit_new(void);
void addr_limit_free(struct addr_limit **a);
