/* Which of a command's arguments is its key. */
#pragma once

#include "base/span.h"

enum { SLOT_COUNT = 16384, SLOT_ANY = -1 };

/* The slot of the command's (first) key; SLOT_ANY for commands without one, which any master can answer. */
int slot_of_command(size_t argc, const struct span *argv);
