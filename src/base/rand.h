/* Random bytes from the kernel (getrandom(2)). */
#pragma once

#include "base/attr.h"

void rand_bytes(void *out, size_t n);
uint64_t rand_u64(void);
/* 32 lower-case hexadecimal digits and a NUL. */
void rand_hex32(char out[33]);
