/* CRC-32C as hash_crc32c, but with the processor's own instruction where there is one: records are summed on the
 * message path. */
#pragma once

#include "base/span.h"

uint32_t crc_update(uint32_t crc, struct span s);
