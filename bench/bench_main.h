/* Commands of chatgate-bench: argv[0] is the command's name; the result is the exit status. */
#pragma once

struct loop;
/* What the servers have in common: a core (-1: any), descriptors, signals that end the loop. NULL: told on standard
 * error. */
struct loop *server_loop(long core);

int bench_echo(int argc, char **argv);
int bench_relay(int argc, char **argv);
int bench_load(int argc, char **argv);
int bench_idle(int argc, char **argv);
int bench_rate(int argc, char **argv);
int bench_knee(int argc, char **argv);
int bench_xmpp_load(int argc, char **argv);
int bench_xmpp_backend(int argc, char **argv);
