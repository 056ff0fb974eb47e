/* The control socket: a Unix stream socket for local administrators, guarded by its file mode (0660). */
#pragma once

#include "admin/admin.h"

struct control;

/* NULL and err when the socket cannot be opened: another daemon listens there, no such folder, no such group. */
struct control *control_start(struct loop *l, const char *path, const char *group, const struct admin_ops *ops,
                              void *ctx, struct err *e);
void control_stop(struct control **c);
