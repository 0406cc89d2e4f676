/*
 * For bash 4 and newer, with the package bash-completion or without. Two functions are
 * made of the tables: a command's options, and how an option's value is completed.
 */

#include "cli/completion.h"

static const char head[] =
	"# Completion of gatun for bash, made by `gatun help --completion bash`.\n\n";

static const char tail[] =
	"_gatun_complete() # KIND [WORDS]\n"
	"{\n"
	"\tcase $1 in\n"
	"\twords) mapfile -t COMPREPLY < <(compgen -W \"$2\" -- \"$cur\") ;;\n"
	"\tfile) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	"\tdevice) mapfile -t COMPREPLY < <(compgen -W \"$(ls /sys/class/net 2>/dev/null)\" -- \"$cur\") ;;\n"
	"\tuser) mapfile -t COMPREPLY < <(compgen -u -- \"$cur\") ;;\n"
	"\tprogram) mapfile -t COMPREPLY < <(compgen -c -- \"$cur\") ;;\n"
	"\tesac\n"
	"}\n\n"
	"# What stands behind -- is another command's line.\n"
	"_gatun_other() # its first word's place\n"
	"{\n"
	"\tif declare -F _command_offset >/dev/null; then\n"
	"\t\t_command_offset \"$1\"\n"
	"\telif ((COMP_CWORD == $1)); then\n"
	"\t\t_gatun_complete program\n"
	"\telse\n"
	"\t\t_gatun_complete file\n"
	"\tfi\n"
	"}\n\n"
	"_gatun()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} value i\n"
	"\tCOMPREPLY=()\n"
	"\tif ((COMP_CWORD == 1)); then\n"
	"\t\t_gatun_complete words \"$(_gatun_commands)\"\n"
	"\t\treturn\n"
	"\tfi\n"
	"\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	"\t\tif [[ ${COMP_WORDS[i]} == -- ]]; then\n"
	"\t\t\t[[ $command != run ]] || _gatun_other $((i + 1))\n"
	"\t\t\treturn\n"
	"\t\tfi\n"
	"\tdone\n"
	"\t# --option=value comes in three words\n"
	"\tif [[ $cur == = ]]; then\n"
	"\t\tcur=\n"
	"\telif [[ $prev == = ]]; then\n"
	"\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
	"\tfi\n"
	"\tvalue=$(_gatun_value \"$command\" \"$prev\")\n"
	"\tif [[ $value ]]; then\n"
	"\t\t_gatun_complete ${value%%:*} \"${value#*:}\"\n"
	"\telif [[ $cur == -* ]]; then\n"
	"\t\t_gatun_complete words \"$(_gatun_options \"$command\")\"\n"
	"\telse\n"
	"\t\tvalue=$(_gatun_value \"$command\" '')\n"
	"\t\t_gatun_complete ${value%%:*} \"${value#*:}\"\n"
	"\tfi\n"
	"}\n\n"
	"complete -F _gatun gatun\n";

static const char *kind_name(enum completion_kind kind)
{
	switch (kind) {
	case COMPLETE_WORDS:
	case COMPLETE_COMMANDS:
		return "words";
	case COMPLETE_FILE:
		return "file";
	case COMPLETE_DEVICE:
		return "device";
	case COMPLETE_USER:
		return "user";
	case COMPLETE_PROGRAM:
		return "program";
	default:
		return "free";
	}
}

static void put_commands(FILE *f)
{
	fprintf(f, "_gatun_commands() { echo");
	for (const struct command *c = command_table(); c->name; c++)
		fprintf(f, " %s", c->name);
	fprintf(f, "; }\n\n_gatun_options() # COMMAND\n{\n\tcase $1 in\n");
	for (const struct command *c = command_table(); c->name; c++) {
		const struct option_row *r;

		fprintf(f, "\t%s) echo '", c->name);
		for (int i = 0; (r = completion_option(c, i)); i++)
			fprintf(f, "--%s ", r->flag);
		fprintf(f, "--help' ;;\n");
	}
	fprintf(f, "\tesac\n}\n\n");
}

/* "COMMAND:--option" and "COMMAND:-o" of one row. */
static void put_value(FILE *f, const struct command *c, const struct option_row *r)
{
	char words[COMPLETION_WORDS] = "";
	enum completion_kind kind = completion_of_option(r, words);

	if (kind == COMPLETE_NOTHING || r->type == OPTION_WISH)
		return;
	fprintf(f, "\t%s:--%s", c->name, r->flag);
	if (r->letter)
		fprintf(f, " | %s:-%c", c->name, r->letter);
	fprintf(f, ") echo '%s:%s' ;;\n", kind_name(kind), words);
}

static void put_values(FILE *f)
{
	fprintf(f, "_gatun_value() # COMMAND OPTION, or '' of its own arguments: KIND:WORDS\n{\n\tcase $1:$2 in\n");
	for (const struct command *c = command_table(); c->name; c++) {
		const struct option_row *r;
		char words[COMPLETION_WORDS] = "";
		enum completion_kind kind = completion_of_argument(c, words);

		for (int i = 0; (r = completion_option(c, i)); i++)
			put_value(f, c, r);
		if (kind == COMPLETE_COMMANDS)
			fprintf(f, "\t%s:) echo \"words:$(_gatun_commands)\" ;;\n", c->name);
		else
			fprintf(f, "\t%s:) echo '%s:%s' ;;\n", c->name, kind_name(kind), words);
	}
	fprintf(f, "\tesac\n}\n\n");
}

void completion_print_bash(FILE *f)
{
	fputs(head, f);
	put_commands(f);
	put_values(f);
	fputs(tail, f);
}
