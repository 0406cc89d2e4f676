/* Problems and the loudness of the log; see report.h. */
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"

/* `run` shares its terminal with the command: it speaks only when asked. */
static bool is_shy(const struct command *c)
{
	return c->option_bit == FOR_RUN;
}

void report_set_up_log(const struct command *command, const struct config *c)
{
	int level = (is_shy(command) ? LOG_LEVEL_WARN : LOG_LEVEL_INFO) + (int)c->verbose;

	if (c->quiet)
		level = LOG_LEVEL_ERROR;
	log_setup(level > LOG_LEVEL_DEBUG ? LOG_LEVEL_DEBUG : (enum log_level)level, c->log_format == LOG_FORMAT_JSON, 2);
}

static enum problem_kind least_problem(const struct command *command, const struct config *c)
{
	if (c->quiet)
		return PROBLEM_ERROR;
	return is_shy(command) && !c->verbose ? PROBLEM_WARNING : PROBLEM_ADVICE;
}

/* Who asked for JSON lines reads them by a program: a problem is a line like any other. */
static void log_problems(struct problems *p, enum problem_kind least)
{
	enum log_level level = p->n_errors ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN;
	char *text = NULL, *line, *rest;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		die(1, "out of memory");
	problems_print(p, least, f);
	fclose(f);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		log_at(&(struct log_site){ 0 }, level, "%s", line);
	free(text);
}

void report_problems(const struct command *command, struct problems *p, const struct config *c)
{
	if (c->log_format == LOG_FORMAT_JSON)
		log_problems(p, least_problem(command, c));
	else
		problems_print(p, least_problem(command, c), stderr);
}
