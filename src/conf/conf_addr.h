/* Addresses and networks as they are written in the configuration. */
#pragma once

#include "conf/conf.h"

/* "HOST:PORT", "[IPv6]:PORT", "unix:PATH" or "/PATH". Texts are copied to the arena; a relative path is taken from
 * `dir`. 0, or -1 and in *why what is wrong. Ports below min_port are refused. */
int conf_addr_parse(const char *text, unsigned min_port, const char *dir, struct arena *a, struct conf_addr *out,
                    const char **why) MUST_CHECK;
/* "192.0.2.0/24", "2001:db8::/32", or one address. Bits behind the prefix must be zero. */
int conf_cidr_parse(const char *text, struct conf_cidr *out, const char **why) MUST_CHECK;
/* The absolute path of the folder of a file, for conf_path: a Unix socket is told from a host by its first character.
 */
char *conf_folder_of(const char *file, struct arena *a);
/* `path` itself when it is absolute, else DIR/path. */
char *conf_path(struct arena *a, const char *dir, const char *path);
