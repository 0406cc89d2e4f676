/*
 * `gatun status`: asks every instance of this user that runs, or the one at
 * --control, and prints what each says: as text, as one JSON document a line, or
 * as Prometheus text. `flows` asks for their flows instead; `kill` and `flush` are
 * orders, which one instance gets; --watch is status_watch.c.
 *
 * Exit codes: 0 all that run have answered; 1 nothing runs, or one did not answer, or
 * an order could not be followed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"
#include "cli/args.h"
#include "cli/instance.h"
#include "cli/status_args.h"
#include "cli/status_watch.h"
#include "ctl/flow_table.h"
#include "ctl/metrics.h"
#include "ctl/report.h"
#include "ctl/socket.h"
#include "ctl/text.h"
#include "gate/gate.h"

struct asked {
	const struct command *self;
	const struct status_args *args;
	json_t **documents;
	int n, failed;
};

static void keep(struct asked *a, json_t *document)
{
	a->documents = array_grow_or_die(a->documents, a->n, sizeof(*a->documents));
	a->documents[a->n++] = document;
}

static json_t *request_of(const struct status_args *args)
{
	json_t *request = json_pack("{s:s}", "request", args->what == STATUS_FLOWS ? "flows" : "status");

	if (args->sort)
		json_object_set_new(request, "sort", json_string(args->sort));
	if (args->limit)
		json_object_set_new(request, "limit", json_integer(args->limit));
	return request;
}

static void ask(void *owner, const char *path)
{
	struct asked *a = owner;
	json_t *document = instance_ask(a->self, path, request_of(a->args));

	if (document)
		keep(a, document);
	else
		a->failed++;
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

static void print_flows(const struct asked *a)
{
	for (int i = 0; i < a->n; i++) {
		if (a->n > 1)
			printf("%sgatun, pid %lld\n", i ? "\n" : "", (long long)text_number(a->documents[i], "pid"));
		flow_table_print(stdout, a->documents[i]);
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
			"  gatun up -c config.json                this whole machine, or a LAN behind it\n"
			"  gatun local -c config.json             a SOCKS5 or HTTP proxy\n"
			"  gatun server -c config.json            the remote end\n"
			"`gatun help` says more.\n");
}

/* Whoever looks why nothing goes out is to find it here: a killed `up`, a kill switch that stays. */
static void print_gate(const struct asked *a)
{
	char mode[16];

	for (int i = 0; i < a->n; i++)
		if (strcmp(text_word(a->documents[i], "mode", mode, sizeof(mode)), "up") == 0)
			return;
	if (gate_stands())
		fprintf(stderr, "gatun: rules of a `gatun up` stand here, which is another user's (sudo gatun status), or has ended: then\n"
				"what they take goes nowhere, until one is up again. To take them back: sudo gatun down\n");
}

static void print(const struct asked *a)
{
	if (a->args->prometheus && a->n)
		print_prometheus(a);
	else if (a->args->json)
		print_json(a);
	else if (a->args->what == STATUS_FLOWS)
		print_flows(a);
	else
		print_text(a);
	if (!a->n && !a->failed)
		print_nothing();
	if (!a->args->control && a->args->what != STATUS_FLOWS && !a->failed)
		print_gate(a);
}

static int tell(const struct command *self, const struct status_args *args)
{
	struct asked a = { .self = self, .args = args };

	if (args->control)
		ask(&a, args->control);
	else
		ctl_socket_find(ask, &a);
	print(&a);
	for (int i = 0; i < a.n; i++)
		json_decref(a.documents[i]);
	free(a.documents);
	return a.n && !a.failed ? 0 : 1;
}

/* ---- orders ---- */

static void print_forgotten(const json_t *answer)
{
	printf("forgotten: %lld names of the resolver's cache", (long long)text_number(answer, "cached_names"));
	if (json_object_get(answer, "fake_addresses"))
		printf(", %lld fake addresses that nobody uses", (long long)text_number(answer, "fake_addresses"));
	putchar('\n');
}

static int order(const struct command *self, const struct status_args *args)
{
	bool kill = args->what == STATUS_KILL;
	char words[64], *path;
	json_t *answer;

	snprintf(words, sizeof(words), kill ? "status kill flow %llu" : "status flush", (unsigned long long)args->flow);
	path = args->control ? strdup(args->control) : instance_only(self, words);
	if (!path)
		return 1;
	answer = instance_ask(self, path, kill ? json_pack("{s:s,s:I}", "request", "kill_flow", "flow", (json_int_t)args->flow) :
						 json_pack("{s:s}", "request", "flush"));
	free(path);
	if (answer && kill)
		printf("flow %llu is ended\n", (unsigned long long)args->flow);
	else if (answer)
		print_forgotten(answer);
	json_decref(answer);
	return answer ? 0 : 1;
}

int cmd_status(const struct command *self, int argc, char **argv)
{
	struct status_args args = { 0 };
	int code;

	if (args_want_help(self, argc, argv))
		return 0;
	code = status_args_read(self, argc, argv, &args);
	if (code)
		return code;
	if (args.watch)
		return status_watch(self, args.control);
	return args.what == STATUS_KILL || args.what == STATUS_FLUSH ? order(self, &args) : tell(self, &args);
}
