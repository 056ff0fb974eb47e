/* Commands of chatgate-bench: argv[0] is the command's name; the result is the exit status. */
#pragma once

int bench_echo(int argc, char **argv);
int bench_relay(int argc, char **argv);
int bench_load(int argc, char **argv);
int bench_idle(int argc, char **argv);
int bench_rate(int argc, char **argv);
int bench_knee(int argc, char **argv);
