/* --help, `gatun help` and complaints about usage, all from the two tables:
 * the commands' and the options'. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/words.h"

#define OPTION_COLUMN 26

static void print_option(const struct option_row *r)
{
	char left[64];
	int n = snprintf(left, sizeof(left), "  %c%c%c --%s%s%s", r->letter ? '-' : ' ', r->letter ? r->letter : ' ',
			 r->letter ? ',' : ' ', r->flag, r->arg ? " " : "", r->arg ? r->arg : "");
	char doc[512];

	snprintf(doc, sizeof(doc), "%s%s%s%s", r->doc, r->def ? " Default: " : "", r->def ? r->def : "", r->def ? "." : "");
	if (n < OPTION_COLUMN)
		printf("%-*s", OPTION_COLUMN, left);
	else
		printf("%s\n%*s", left, OPTION_COLUMN, "");
	words_print_wrapped(stdout, doc, OPTION_COLUMN, OPTION_COLUMN);
}

static void print_options(const struct command *c)
{
	printf("\nOptions:\n");
	for (const struct option_row *r = option_table(); r->key || r->flag; r++)
		if (r->flag && (r->where & c->option_bit))
			print_option(r);
	printf("%-*sThis text.\n", OPTION_COLUMN, "  -h, --help");
}

void help_print_command(const struct command *c)
{
	printf("Usage: gatun %s%s%s\n\n%s.\n", c->name, *c->synopsis ? " " : "", c->synopsis, c->summary);
	if (c->text)
		printf("\n%s", c->text);
	print_options(c);
	if (c->example)
		printf("\nExample:\n%s", c->example);
}

void help_print_all(const struct command *table)
{
	printf("gatun: carries TCP, UDP and names through Shadowsocks\n\nUsage:\n");
	for (const struct command *c = table; c->name; c++)
		printf("  gatun %-8s %s\n", c->name, c->synopsis);
	printf("\nCommands:\n");
	for (const struct command *c = table; c->name; c++)
		printf("  %-10s%s\n", c->name, c->summary);
	printf("\nSERVER is an ss:// URL, or -c FILE, or -s HOST:PORT -m METHOD -k PASSWORD.\n"
	       "`gatun COMMAND --help` says more. Exit codes: 0 done, 1 failed, 2 wrong usage,\n"
	       "3 bad config; `run` returns the command's own, or 125 if gatun failed.\n");
}

int help_usage_error(const struct command *c, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "gatun %s: ", c->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nUsage: gatun %s %s   (more: gatun %s --help)\n", c->name, c->synopsis, c->name);
	return strcmp(c->name, "run") == 0 ? EXIT_RUN_FAILED : EXIT_USAGE;
}
