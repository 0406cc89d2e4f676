/*
 * Completion for shells: scripts that are made of the command and option tables, so
 * that they offer what works and nothing else. `gatun help --completion SHELL` prints
 * one, the build installs all.
 */
#ifndef GATUN_CLI_COMPLETION_H
#define GATUN_CLI_COMPLETION_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/command.h"

/* False: that shell has none. */
bool completion_print(FILE *, const char *shell);
/* "bash, zsh, fish" */
const char *completion_shells(void);

/* ---- for completion_*.c ---- */

/* What may stand behind an option, or where a command wants an argument of its own. */
enum completion_kind {
	COMPLETE_NOTHING,  /* the option takes no value */
	COMPLETE_FREE,	   /* a value that nobody can guess */
	COMPLETE_WORDS,	   /* one of some words */
	COMPLETE_FILE,
	COMPLETE_DEVICE,   /* a network interface */
	COMPLETE_USER,
	COMPLETE_PROGRAM,
	COMPLETE_COMMANDS, /* of gatun */
};

#define COMPLETION_WORDS 1024

/* `words`, with blanks between, where it is COMPLETE_WORDS. */
enum completion_kind completion_of_option(const struct option_row *, char words[COMPLETION_WORDS]);
enum completion_kind completion_of_argument(const struct command *, char words[COMPLETION_WORDS]);
/* Its i-th option, or NULL behind the last. */
const struct option_row *completion_option(const struct command *, int i);

/* How long the first sentence of a text is, without its full stop. */
size_t completion_sentence(const char *doc);

void completion_print_bash(FILE *);
void completion_print_zsh(FILE *);
void completion_print_fish(FILE *);

#endif
