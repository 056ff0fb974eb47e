/* chatgate reminders next: what will be reminded of. */
#pragma once

int reminders_next(int argc, char **argv);
