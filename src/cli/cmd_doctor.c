/*
 * `gatun doctor`: what this machine can do, and what to fix, the worst first.
 * With a server and the options of `up` it looks at those too.
 *
 * Exit codes: 0: `up` would work; 1: it would fail.
 */
#include <stdio.h>

#include "cli/args.h"
#include "conf/utf8.h"
#include "doctor/doctor.h"

/* Names in it came from a config or from a server. */
static void print_line(const char *before, const char *text)
{
	char shown[DOCTOR_TEXT];

	snprintf(shown, sizeof(shown), "%s", text);
	utf8_make_printable(shown);
	printf("%s%s\n", before, shown);
}

static void print_finding(const struct doctor_finding *f)
{
	static const char *const words[] = { [DOCTOR_OK] = "ok    ", [DOCTOR_NOTE] = "note  ", [DOCTOR_BAD] = "BAD   " };

	print_line(words[f->word], f->text);
	if (f->mend[0])
		print_line("          ", f->mend);
}

static void print_verdict(const struct doctor_report *r)
{
	printf("\n`gatun up` would %s here; `gatun run` would %s.\n", doctor_stops(r, DOCTOR_OF_UP) ? "FAIL" : "work",
	       doctor_stops(r, DOCTOR_OF_RUN) ? "FAIL" : "work");
}

static int examine(const struct config *config, bool with_servers)
{
	static struct doctor_report report;

	doctor_examine(config, with_servers, &report);
	for (int i = 0; i < report.n; i++)
		print_finding(&report.items[i]);
	print_verdict(&report);
	return doctor_stops(&report, DOCTOR_OF_UP) ? 1 : 0;
}

int cmd_doctor(const struct command *command, int argc, char **argv)
{
	struct config config;
	char **rest;
	int code;

	if (!args_load_config(command, argc, argv, &config, &rest, &code))
		return code;
	code = examine(&config, config.n_servers > 0);
	config_free(&config);
	args_forget();
	return code;
}
