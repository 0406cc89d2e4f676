/* For zsh: _arguments has a line for each option; the texts are those of --help. */
#include <string.h>

#include "cli/completion.h"

static const char tail[] =
	"_gatun \"$@\"\n";

/* Within '...', where brackets and colons mean something. */
static void put_text(FILE *f, const char *text, size_t len)
{
	for (const char *p = text; p < text + len; p++) {
		if (*p == '\'')
			fputs("'\\''", f);
		else if (strchr("[]:\\", *p))
			fprintf(f, "\\%c", *p);
		else
			fputc(*p, f);
	}
}

static void put_doc(FILE *f, const char *doc)
{
	put_text(f, doc, completion_sentence(doc));
}

static void put_action(FILE *f, enum completion_kind kind, const char *words)
{
	switch (kind) {
	case COMPLETE_WORDS:
		fprintf(f, "(%s)", words);
		break;
	case COMPLETE_FILE:
		fputs("_files", f);
		break;
	case COMPLETE_DEVICE:
		fputs("_net_interfaces", f);
		break;
	case COMPLETE_USER:
		fputs("_users", f);
		break;
	case COMPLETE_PROGRAM:
		fputs("_command_names -e", f);
		break;
	default:
		fputc(' ', f);
	}
}

/* '(-c --config)'{-c+,--config=}'[doc]:FILE:_files'; an option may be repeated where a list comes of it. */
static void put_option(FILE *f, const struct option_row *r)
{
	char words[COMPLETION_WORDS] = "";
	enum completion_kind kind = completion_of_option(r, words);
	const char *equals = kind != COMPLETE_NOTHING ? "=" : "";

	fprintf(f, "\t\t\t'*'");
	if (r->letter)
		fprintf(f, "{-%c%s,--%s%s}", r->letter, *equals ? "+" : "", r->flag, equals);
	else
		fprintf(f, "--%s%s", r->flag, equals);
	fputs("'[", f);
	put_doc(f, r->doc);
	fputc(']', f);
	if (kind != COMPLETE_NOTHING) {
		fputs(r->type == OPTION_WISH ? "::" : ":", f);
		put_text(f, r->arg, strlen(r->arg));
		fputc(':', f);
		put_action(f, kind, words);
	}
	fputs("' \\\n", f);
}

static void put_command(FILE *f, const struct command *c)
{
	char words[COMPLETION_WORDS] = "";
	enum completion_kind kind = completion_of_argument(c, words);
	const struct option_row *r;

	fprintf(f, "\t%s)\n\t\t_arguments -s -S \\\n", c->name);
	for (int i = 0; (r = completion_option(c, i)); i++)
		put_option(f, r);
	fprintf(f, "\t\t\t'(- *)'{-h,--help}'[explain]' \\\n");
	fprintf(f, "\t\t\t'*: :");
	if (kind == COMPLETE_COMMANDS)
		fprintf(f, "->commands");
	else
		put_action(f, kind, words);
	fprintf(f, "'\n\t\t;;\n");
}

void completion_print_zsh(FILE *f)
{
	fprintf(f, "#compdef gatun\n# Made by `gatun help --completion zsh`.\n\n_gatun()\n{\n\tlocal context state line\n\tlocal -a subcommands=(\n");
	for (const struct command *c = command_table(); c->name; c++) {
		fprintf(f, "\t\t'%s:", c->name);
		put_doc(f, c->summary);
		fprintf(f, "'\n");
	}
	fprintf(f, "\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command subcommands\n\t\treturn\n\tfi\n"
		   "\tshift words\n\t((CURRENT--))\n"
		   "\tlocal -i at=${words[(ie)--]}\n"
		   "\tif [[ $words[1] == run ]] && ((at < CURRENT)); then # another command's line\n"
		   "\t\tshift $at words\n\t\t((CURRENT -= at))\n"
		   "\t\t_normal\n\t\treturn\n\tfi\n"
		   "\tcase $words[1] in\n");
	for (const struct command *c = command_table(); c->name; c++)
		put_command(f, c);
	fprintf(f, "\tesac\n\t[[ $state != commands ]] || _describe command subcommands\n}\n\n");
	fputs(tail, f);
}
