/* The commands `chatgate-board passwd` and `chatgate-board token`: who may log in, and what programs may do. */
#pragma once

/* argv[0] is the command's name; `config` names the files unless an option does. The exit code. */
int accounts_passwd(int argc, char **argv, const char *config);
int accounts_token(int argc, char **argv, const char *config);
