/* A redis-server of the benchmark's own, without persistence, on a free port of the loopback interface and, where the
 * machine has two cores, on core 0 while the benchmark is on core 1; one connection to it. Every trouble ends the
 * program with a message. */
#pragma once

#include <sys/types.h>

#include "base/buf.h"

struct server {
    char dir[64], port[8];
    pid_t pid;
    int fd;
    uint8_t in[1 << 16];
    size_t from, to;
    struct buf out;
};

void server_start(struct server *s, const char *program);
void server_stop(struct server *s);
/* Its own run time so far (INFO cpu, user and system). */
double server_cpu_us(struct server *s);
/* Loads a script; its SHA-1 goes to sha. */
void server_load(struct server *s, const char *script, char sha[48]);
/* A command is kept until server_flush. */
void server_put(struct server *s, const struct span *arg, size_t n);
void server_flush(struct server *s);
/* Reads one reply; the last text in it goes to `text`. An error ends the program. */
void server_read(struct server *s, char *text, size_t cap);
/* One command of up to three words; the rest NULL. */
void server_ask(struct server *s, char *text, size_t cap, const char *a, const char *b, const char *c);
