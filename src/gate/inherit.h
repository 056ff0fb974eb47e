/* Sockets handed over by systemd (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES from descriptor 3 on) and
 * the readiness notice (sd_notify(3)), spoken directly: both are a few environment variables and one datagram. */
#pragma once

#include "conf/conf.h"

/* The inherited listening socket for this listener, by FileDescriptorName= or, for address "systemd", the next unused
 * one. -1: none. Each is handed out once. */
int inherit_find(const char *name, const struct conf_addr *addr);
/* Logs each inherited socket that no listener took: systemd lets peers connect there, and nobody will answer them. */
void inherit_report_unused(void);
/* Sends e.g. "READY=1" to $NOTIFY_SOCKET, if there is one. */
void inherit_notify(const char *state);
