/* For fish: a `complete` for each command and each of its options. */
#include <string.h>

#include "cli/completion.h"

/* Within '...'. */
static void put_doc(FILE *f, const char *doc)
{
	fputs(" -d '", f);
	for (const char *p = doc, *end = doc + completion_sentence(doc); p < end; p++) {
		if (*p == '\'' || *p == '\\')
			fputc('\\', f);
		fputc(*p, f);
	}
	fputs("'\n", f);
}

static void put_value(FILE *f, enum completion_kind kind, const char *words)
{
	switch (kind) {
	case COMPLETE_NOTHING:
		break;
	case COMPLETE_WORDS:
		fprintf(f, " -x -a '%s'", words);
		break;
	case COMPLETE_FILE:
		fputs(" -r -F", f);
		break;
	case COMPLETE_DEVICE:
		fputs(" -x -a '(command ls /sys/class/net)'", f);
		break;
	case COMPLETE_USER:
		fputs(" -x -a '(__fish_complete_users)'", f);
		break;
	case COMPLETE_PROGRAM:
		fputs(" -x -a '(__fish_complete_command)'", f);
		break;
	default:
		fputs(" -x", f);
	}
}

static void put_command(FILE *f, const struct command *c)
{
	char words[COMPLETION_WORDS] = "";
	enum completion_kind kind = completion_of_argument(c, words);
	const struct option_row *r;

	for (int i = 0; (r = completion_option(c, i)); i++) {
		char values[COMPLETION_WORDS] = "";
		enum completion_kind value = completion_of_option(r, values);

		fprintf(f, "complete -c gatun -n '__fish_seen_subcommand_from %s' -l %s", c->name, r->flag);
		if (r->letter)
			fprintf(f, " -s %c", r->letter);
		if (r->type != OPTION_WISH)
			put_value(f, value, values);
		put_doc(f, r->doc);
	}
	if (kind == COMPLETE_FREE || strcmp(c->name, "run") == 0)
		return;
	fprintf(f, "complete -c gatun -n '__fish_seen_subcommand_from %s'", c->name);
	if (kind == COMPLETE_FILE)
		fputs(" -F\n", f);
	else
		fprintf(f, " -a '%s'\n", kind == COMPLETE_COMMANDS ? "$__gatun_commands" : words);
}

void completion_print_fish(FILE *f)
{
	fputs("# Completion of gatun for fish, made by `gatun help --completion fish`.\nset -g __gatun_commands", f);
	for (const struct command *c = command_table(); c->name; c++)
		fprintf(f, " %s", c->name);
	fputs("\ncomplete -c gatun -f\n", f);
	for (const struct command *c = command_table(); c->name; c++) {
		fprintf(f, "complete -c gatun -n __fish_use_subcommand -a %s", c->name);
		put_doc(f, c->summary);
	}
	fputs("complete -c gatun -l help -s h -d 'Explain'\n"
	      "complete -c gatun -n 'contains -- -- (commandline -opc)' -F -a '(__fish_complete_command)'\n", f);
	for (const struct command *c = command_table(); c->name; c++)
		put_command(f, c);
}
