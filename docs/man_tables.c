/*
 * Fills the command and option tables into the man page: copies gatun.1.scd to
 * standard output and replaces lines of the form @NAME@. So the page cannot say
 * anything else than the program, and both say only what works.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/command.h"
#include "conf/assign.h"

/* scdoc's markup characters are escaped. */
static void put(const char *text)
{
	for (; *text; text++) {
		if (strchr("_*\\<~`", *text))
			putchar('\\');
		putchar(*text);
	}
}

static void put_synopsis(void)
{
	const char *start = "";

	for (const struct command *c = command_table(); c->name; c++) {
		printf("%s*gatun %s* ", start, c->name);
		put(c->synopsis);
		start = "++\n";
	}
	putchar('\n');
}

static void put_commands(void)
{
	for (const struct command *c = command_table(); c->name; c++) {
		printf("## gatun %s\n\n", c->name);
		put(c->summary);
		printf(".\n\n");
		if (c->text) {
			put(c->text);
			putchar('\n');
		}
	}
}

static void put_doc(const struct option_row *r)
{
	putchar('\t');
	put(r->doc);
	if (r->def) {
		printf(" Default: ");
		put(r->def);
		putchar('.');
	}
}

/* "(run, server)" */
static void put_commands_of(const struct option_row *r)
{
	const char *separator = " (";

	for (const struct command *c = command_table(); c->name; c++) {
		if (!(r->where & c->option_bit))
			continue;
		printf("%s%s", separator, c->name);
		separator = ", ";
	}
	if (separator[0] == ',')
		putchar(')');
}

static void put_options(void)
{
	for (const struct option_row *r = option_table(); r->key || r->flag; r++) {
		if (!r->flag)
			continue;
		if (r->letter)
			printf("*-%c*, ", r->letter);
		printf("*--%s*", r->flag);
		if (r->arg) {
			printf(" ");
			put(r->arg);
		}
		put_commands_of(r);
		putchar('\n');
		put_doc(r);
		printf("\n\n");
	}
}

static bool has_effect(const struct option_row *r)
{
	return r->key && r->type != OPTION_INERT && r->type != OPTION_LATER;
}

/* The object that a key stands in; NULL: the top level, too. */
static const char *place_of(uint32_t where)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} places[] = {
		{ IN_TOP, NULL },
		{ IN_SERVER, "servers" },
		{ IN_LOCAL, "locals" },
		{ IN_BALANCER, "balancer" },
		{ IN_RUNTIME, "runtime" },
		{ IN_LIMITS, "limits" },
		{ IN_USER, "users" },
		{ IN_ONLINE, "online_config" },
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (where & places[i].bit)
			return places[i].name;
	return NULL;
}

static void put_keys(void)
{
	char type[128];

	for (const struct option_row *r = option_table(); r->key || r->flag; r++) {
		if (!has_effect(r))
			continue;
		printf("*");
		put(r->key);
		printf("*, ");
		put(option_describe_type(r, type, sizeof(type)));
		if (place_of(r->where)) {
			printf(", in ");
			put(place_of(r->where));
		}
		putchar('\n');
		put_doc(r);
		printf("\n\n");
	}
}

static void put_names(enum option_type type)
{
	const char *separator = "";

	for (const struct option_row *r = option_table(); r->key || r->flag; r++) {
		if (r->type != type)
			continue;
		printf("%s", separator);
		put(r->key);
		if (place_of(r->where)) { /* elsewhere it may well mean something */
			printf(" (in ");
			put(place_of(r->where));
			putchar(')');
		}
		separator = ", ";
	}
	printf(".\n");
}

static bool put_table(const char *line)
{
	if (strcmp(line, "@SYNOPSIS@\n") == 0)
		put_synopsis();
	else if (strcmp(line, "@COMMANDS@\n") == 0)
		put_commands();
	else if (strcmp(line, "@OPTIONS@\n") == 0)
		put_options();
	else if (strcmp(line, "@KEYS@\n") == 0)
		put_keys();
	else if (strcmp(line, "@INERT@\n") == 0)
		put_names(OPTION_INERT);
	else if (strcmp(line, "@LATER@\n") == 0)
		put_names(OPTION_LATER);
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;
	char line[512];

	if (!in)
		die(2, "man_tables FILE.scd");
	while (fgets(line, sizeof(line), in))
		if (!put_table(line))
			fputs(line, stdout);
	fclose(in);
	return fflush(stdout) != 0;
}
