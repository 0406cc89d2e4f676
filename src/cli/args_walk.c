/*
 * The first pass over the command line: what was given, and whether it has the
 * form of anything; see args.c. Nothing is loaded or assigned here. What is said
 * shows no argument that may be a secret.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/args_impl.h"
#include "cli/words.h"
#include "conf/nearest.h"
#include "conf/url.h"

static bool takes_value(const struct option_row *r)
{
	return r->type != OPTION_FLAG && r->type != OPTION_COUNT && r->type != OPTION_WISH;
}

static void add_given(struct args *a, const struct option_row *row, char *value)
{
	a->given[a->n_given++] = (struct given){ row, value };
}

bool args_want_command(const struct args *a)
{
	return a->command->option_bit == FOR_RUN;
}

/* "`gatun run` and `gatun up`": what starts an engine and knows the option. */
static const char *commands_of(const struct option_row *r, char *buf, size_t size)
{
	size_t n = 0;

	for (const struct command *c = command_table(); c->name; c++) {
		if (c->option_bit & FOR_ALL & r->where)
			n += (size_t)snprintf(buf + n, size - n, "%s`gatun %s`", n ? ", " : "", c->name);
	}
	return buf;
}

/* Letters of ss-local's and ss-server's that gatun says otherwise. */
static const char *meant_by(char letter)
{
	switch (letter) {
	case 'p':
		return ": a port stands behind its address: -s HOST:PORT";
	case 'l':
	case 'b':
		return ": where a proxy listens is said by --socks, --http or --mixed ADDR:PORT";
	case 'u':
	case 'U':
		return ": UDP is carried without it, unless \"mode\" in a config says otherwise";
	default:
		return "";
	}
}

static void unknown_option(struct args *a, const char *arg)
{
	struct nearest near = { .word = arg + 2 };
	size_t len = strcspn(arg, "=");

	for (const struct option_row *r = option_table(); arg[1] == '-' && (r->key || r->flag); r++)
		if (r->flag && (r->where & a->command->option_bit))
			nearest_offer(&near, r->flag);
	const struct option_row *other = arg[1] == '-' ? option_find_flag(arg + 2, len - 2, FOR_ALL) : NULL;

	if (other)
		a->failed = help_usage_error(a->command, "%.*s is an option of %s", (int)len, arg, commands_of(other, (char[96]){ 0 }, 96));
	else if (arg[1] != '-')
		a->failed = help_usage_error(a->command, "unknown option -%c%s", arg[1], meant_by(arg[1]));
	else if (near.best)
		a->failed = help_usage_error(a->command, "unknown option %.*s, did you mean --%s?", (int)len, arg, near.best);
	else
		a->failed = help_usage_error(a->command, "unknown option %.*s", (int)len, arg);
}

/* argv[*i] is "--name", "--name=value". */
static void walk_long(struct args *a, int *i)
{
	char *arg = a->argv[*i];
	size_t len = strcspn(arg + 2, "=");
	char *value = arg[2 + len] ? arg + 2 + len + 1 : NULL;
	const struct option_row *row = option_find_flag(arg + 2, len, a->command->option_bit);

	if (len == 4 && !value && strcmp(arg, "--help") == 0)
		a->help = true;
	else if (!row)
		unknown_option(a, arg);
	else if (!takes_value(row) && value && row->type != OPTION_WISH)
		a->failed = help_usage_error(a->command, "--%s takes no value", row->flag);
	else if (takes_value(row) && !value && *i + 1 >= a->argc)
		a->failed = help_usage_error(a->command, "--%s wants %s", row->flag, row->arg);
	else
		add_given(a, row, takes_value(row) && !value ? a->argv[++*i] : value);
}

/* argv[*i] is "-x", "-xyz" or "-xVALUE". */
static void walk_short(struct args *a, int *i)
{
	for (char *at = a->argv[*i] + 1; *at && !a->failed; at++) {
		const struct option_row *row = option_find_letter(*at, a->command->option_bit);

		if (*at == 'h') {
			a->help = true;
		} else if (!row) {
			unknown_option(a, (char[]){ '-', *at, 0 });
		} else if (!takes_value(row)) {
			add_given(a, row, NULL);
		} else {
			if (!at[1] && *i + 1 >= a->argc)
				a->failed = help_usage_error(a->command, "-%c wants %s", *at, row->arg);
			else
				add_given(a, row, at[1] ? at + 1 : a->argv[++*i]);
			return;
		}
	}
}

const struct given *args_find(const struct args *a, enum option_type type)
{
	for (int i = 0; i < a->n_given; i++)
		if (a->given[i].row && a->given[i].row->type == type)
			return &a->given[i];
	return NULL;
}

const struct given *args_find_url(const struct args *a)
{
	for (int i = 0; i < a->n_given; i++)
		if (!a->given[i].row)
			return &a->given[i];
	return NULL;
}

static void print_word(const char *word)
{
	fputc(' ', stderr);
	words_print_quoted(stderr, word);
}

/* The line that was meant, with the secrets left out. */
static void print_corrected(const struct args *a, char *const *command)
{
	fprintf(stderr, "  gatun %s", a->command->name);
	for (int i = 0; i < a->n_given; i++) {
		const struct given *g = &a->given[i];

		if (g->row && g->row->letter)
			fprintf(stderr, " -%c", g->row->letter);
		else if (g->row)
			fprintf(stderr, " --%s", g->row->flag);
		if (!g->row)
			fputs(" ss://...", stderr);
		else if (g->value && (g->row->type == OPTION_SECRET || g->row->type == OPTION_HOPS))
			fputs(" ...", stderr);
		else if (g->value)
			print_word(g->value);
	}
	if (!args_find_url(a) && !args_find(a, OPTION_SOURCE) && !args_find(a, OPTION_ADDRESS))
		fputs(" SERVER", stderr);
	fputs(" --", stderr);
	for (; *command; command++)
		print_word(*command);
	fputc('\n', stderr);
}

static void walk_word(struct args *a, int i)
{
	bool url = strstr(a->argv[i], "://");

	if (url_is_ss(a->argv[i])) {
		add_given(a, NULL, a->argv[i]);
	} else if (url && !(args_want_command(a) && args_find_url(a))) { /* which may hold a password */
		a->failed = help_usage_error(a->command, "the URL of a server begins with ss://, and this one does not");
	} else if (words_name_config(a->argv[i]) && !args_find(a, OPTION_SOURCE) && !args_find_url(a)) {
		a->failed = help_usage_error(a->command, "a config file stands behind -c: gatun %s -c FILE", a->command->name);
	} else if (args_want_command(a)) {
		fprintf(stderr, "gatun run: write -- before the command:\n");
		print_corrected(a, a->argv + i);
		a->failed = EXIT_RUN_FAILED;
	} else {
		char shown[64];

		a->failed = help_usage_error(a->command, "unexpected argument \"%s\"",
					     log_escape(a->argv[i], strlen(a->argv[i]), shown, sizeof(shown)));
	}
}

void args_walk(struct args *a)
{
	for (int i = 1; i < a->argc && !a->failed && !a->help && !a->rest; i++) {
		char *arg = a->argv[i];

		if (strcmp(arg, "--") == 0)
			a->rest = a->argv + i + 1;
		else if (arg[0] == '-' && arg[1] == '-')
			walk_long(a, &i);
		else if (arg[0] == '-' && arg[1])
			walk_short(a, &i);
		else
			walk_word(a, i);
	}
	if (a->failed || a->help)
		return;
	if (args_want_command(a) && (!a->rest || !*a->rest)) {
		static char command[] = "COMMAND";

		fprintf(stderr, "gatun run: which command? It stands behind --:\n");
		print_corrected(a, (char *[]){ command, NULL });
		a->failed = EXIT_RUN_FAILED;
	} else if (!args_want_command(a) && a->rest && *a->rest) {
		a->failed = help_usage_error(a->command, "takes no command");
	}
}
