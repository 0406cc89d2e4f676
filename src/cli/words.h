/* Small things about the texts of a command line. */
#ifndef GATUN_CLI_WORDS_H
#define GATUN_CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Overwrites an argument with NULs: it is gone from /proc/PID/cmdline. */
void words_wipe(char *arg);
/* The same for an ss:// URL, of which "ss:" and some stars stay so that a process list
 * shows what it was. Anything else is left alone. */
void words_wipe_url(char *arg);
/* Takes $GATUN_PASSWORD out of the environment: a copy that the caller wipes
 * and frees, or NULL if it is not set. */
char *words_take_password(void);
/* A secret from a file: the first line, without its end. NULL with errno set;
 * EINVAL: empty or longer than 4095 bytes. Wiped and freed by the caller. */
char *words_read_secret(const char *path);

/* Is it named as configs are, and there? */
bool words_name_config(const char *arg);

/* Prints an argument as a shell would need it. */
void words_print_quoted(FILE *, const char *arg);
/* Prints a text wrapped at 80 columns, each line but the first indented. */
void words_print_wrapped(FILE *, const char *text, int indent, int at);

#endif
