/* What is said of a config in text form: shared by the tests of conf/. */
#ifndef GATUN_TESTS_CONF_SAY_H
#define GATUN_TESTS_CONF_SAY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/load.h"

/* All problems of a text, from `least` upwards, as they would be printed; "" if
 * there is none. The caller frees it, and the config. */
static inline char *problems_of(const char *text, uint32_t command, enum problem_kind least, struct config *c)
{
	struct loading l;
	char *out = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&out, &size);

	load_begin(&l, c);
	if (load_text(&l, "t", text, strlen(text)))
		load_finish(&l, command);
	problems_print(&l.problems, least, f);
	fclose(f);
	load_end(&l);
	return out;
}

/* The config of a text that must be without problems. */
static inline void without_problems(const char *text, uint32_t command, enum problem_kind least, struct config *c)
{
	char *got = problems_of(text, command, least, c);

	if (*got)
		fail_msg("%s\n--- said:\n%s", text, got);
	free(got);
}

#endif
