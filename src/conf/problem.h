/*
 * What is wrong with a configuration. Readers add problems and go on, so that a
 * user sees all of them at once; the end of the reading prints them in the
 * order of the text. Passwords never go into a problem's words.
 */
#ifndef GATUN_CONF_PROBLEM_H
#define GATUN_CONF_PROBLEM_H

#include <stddef.h>
#include <stdio.h>

enum problem_kind {
	PROBLEM_ERROR,	 /* the configuration is refused */
	PROBLEM_WARNING, /* something has no effect, or another one than meant */
	PROBLEM_ADVICE,	 /* works, but a better choice exists */
};

/* A place in the text: byte offset + 1, so that 0 is "nowhere". */
typedef size_t conf_place;

struct problem {
	enum problem_kind kind;
	conf_place place;
	char *text;
};

struct problems {
	const char *source;  /* "config.json", "standard input", "ss:// URL"; NULL: the command line */
	const char *text;    /* what places point into; may be NULL */
	size_t text_len;
	struct problem *items;
	int n, n_errors;
};

void problem_add(struct problems *, enum problem_kind, conf_place, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* "config.json:3:5: error: ...", one line each; kinds above `least` are left
 * out. Without a source: "gatun: ...". Must run while `text` is still there. */
void problems_print(struct problems *, enum problem_kind least, FILE *);
void problems_free(struct problems *);

/* Line and column, both from 1; the column counts characters (UTF-8). */
void problem_locate(const char *text, size_t len, conf_place, int *line, int *column);

#endif
