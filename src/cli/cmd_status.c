/*
 * `gatun status`: asks every instance of this user that runs, or the one at
 * --control, and prints what each says: as text, as one JSON document a line, or
 * as Prometheus text.
 *
 * Exit codes: 0 all that run have answered; 1 nothing runs, or one did not answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "cli/args.h"
#include "ctl/ask.h"
#include "ctl/metrics.h"
#include "ctl/report.h"
#include "ctl/socket.h"

struct asked {
	bool json, prometheus;
	const char *control;
	json_t **documents;
	int n, failed;
};

static void complain(struct asked *a, const char *path, const char *why)
{
	char shown[256];

	fprintf(stderr, "gatun status: %s: %s\n", path, log_escape(why, strlen(why), shown, sizeof(shown)));
	a->failed++;
}

static void keep(struct asked *a, json_t *document)
{
	json_t **more = realloc(a->documents, (size_t)(a->n + 1) * sizeof(*more));

	if (!more)
		die(1, "out of memory");
	a->documents = more;
	a->documents[a->n++] = document;
}

static void ask(void *owner, const char *path)
{
	struct asked *a = owner;
	json_t *request = json_pack("{s:s}", "request", "status"), *document;
	const char *error;
	int err = ctl_ask(path, request, &document);

	json_decref(request);
	error = json_string_value(json_object_get(document, "error"));
	if (err || error) {
		complain(a, path, err ? ctl_ask_sentence(err) : error);
		json_decref(document);
		return;
	}
	keep(a, document);
}

/* ---- what is printed ---- */

static void print_json(const struct asked *a)
{
	for (int i = 0; i < a->n; i++) {
		json_dumpf(a->documents[i], stdout, JSON_COMPACT);
		putchar('\n');
	}
}

static void print_text(const struct asked *a)
{
	for (int i = 0; i < a->n; i++) {
		if (i)
			putchar('\n');
		ctl_report_print(stdout, a->documents[i]);
	}
}

static void print_prometheus(const struct asked *a)
{
	char *text = ctl_metrics_format(a->documents, a->n);

	if (!text)
		die(1, "out of memory");
	fputs(text, stdout);
	free(text);
}

static void print_nothing(void)
{
	fprintf(stderr, "gatun: nothing runs. To start:\n"
			"  gatun run -c config.json -- COMMAND    a command whose only way out is the tunnel\n"
			"  gatun local -c config.json             a SOCKS5 or HTTP proxy\n"
			"  gatun server -c config.json            the remote end\n"
			"`gatun help` says more.\n");
}

/* ---- what is asked ---- */

/* 0, or the exit code of wrong usage. */
static int read_arguments(const struct command *self, int argc, char **argv, struct asked *a)
{
	for (int i = 1; i < argc; i++) {
		char shown[64];

		if (strcmp(argv[i], "--json") == 0)
			a->json = true;
		else if (strcmp(argv[i], "--prometheus") == 0)
			a->prometheus = true;
		else if (strcmp(argv[i], "--control") == 0 && i + 1 < argc)
			a->control = argv[++i];
		else if (strncmp(argv[i], "--control=", 10) == 0)
			a->control = argv[i] + 10;
		else
			return help_usage_error(self, "unexpected argument \"%s\"",
						log_escape(argv[i], strlen(argv[i]), shown, sizeof(shown)));
	}
	return a->json && a->prometheus ? help_usage_error(self, "--json or --prometheus, not both") : 0;
}

static void print(const struct asked *a)
{
	if (a->prometheus && a->n)
		print_prometheus(a);
	else if (a->json)
		print_json(a);
	else
		print_text(a);
	if (!a->n && !a->failed)
		print_nothing();
}

int cmd_status(const struct command *self, int argc, char **argv)
{
	struct asked a = { 0 };
	int code;

	if (args_want_help(self, argc, argv))
		return 0;
	code = read_arguments(self, argc, argv, &a);
	if (code)
		return code;
	if (a.control)
		ask(&a, a.control);
	else
		ctl_socket_find(ask, &a);
	print(&a);
	for (int i = 0; i < a.n; i++)
		json_decref(a.documents[i]);
	free(a.documents);
	return a.n && !a.failed ? 0 : 1;
}
