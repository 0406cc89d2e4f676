/*
 * The command line of what starts an engine; see args.h.
 *
 * Two passes: the first (args_walk.c) walks argv and only finds out what was given, the
 * second loads the source (URL or file) and then assigns the options, so that
 * an option wins over the file wherever it stands. Then every argument that
 * held a secret is overwritten, whatever the outcome.
 */
#include "cli/args.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/args_impl.h"
#include "cli/report.h"
#include "cli/words.h"
#include "client/online.h"
#include "conf/assign.h"
#include "conf/hop.h"
#include "conf/up.h"
#include "ctl/control.h"
#include "engine/acls.h"
#include "engine/reload.h"
#include "engine/service.h"
#include "sys/secrets.h"

/* What it takes to load the same config again: a file that can be read again, the options
 * that go over it, $GATUN_PASSWORD. Nothing is kept where there is no such file. */
static struct {
	struct args args; /* its `given` are copies */
	char *password;
} kept;

static bool gives_password(const struct args *a)
{
	for (int i = 0; i < a->n_given; i++)
		if (a->given[i].row && a->given[i].row->letter == 'k')
			return true;
	return false;
}

/* One source, and nothing twice that cannot add up. */
static void check_sources(struct args *a)
{
	const struct given *url = args_find_url(a), *file = args_find(a, OPTION_SOURCE);
	int files = 0;

	for (int i = 0; i < a->n_given; i++)
		files += a->given[i].row && a->given[i].row->type == OPTION_SOURCE;
	if (files > 1 || (url && file))
		a->failed = help_usage_error(a->command, "%s", url ? "give ss:// URLs or -c FILE, not both" : "give one -c FILE");
	else if (url && (args_find(a, OPTION_ADDRESS) || gives_password(a)))
		a->failed = help_usage_error(a->command, "an ss:// URL holds address, method and password: leave out -s, -m and -k");
}

static bool load_source(struct args *a)
{
	const struct given *file = args_find(a, OPTION_SOURCE);
	bool ok = !file || load_file(&a->loading, file->value);

	for (int i = 0; i < a->n_given; i++)
		if (!a->given[i].row)
			ok &= load_url(&a->loading, a->given[i].value);
	return ok;
}

/* Marks are written as 0x6761 as a rule. */
static bool is_number(const char *text, size_t len)
{
	if (len > 2 && text[0] == '0' && text[1] == 'x')
		return strspn(text + 2, "0123456789abcdefABCDEF") == len - 2;
	return strspn(text, "0123456789") == len;
}

static struct option_value value_of(const struct given *g)
{
	struct option_value v = { .kind = VALUE_TEXT, .text = g->value, .is = "what was given" };
	size_t len = g->value ? strlen(g->value) : 0;

	if (!g->value)
		return (struct option_value){ .kind = VALUE_BOOL, .number = 1 };
	if ((g->row->type == OPTION_NUMBER || g->row->type == OPTION_MEGABYTES) && len && len < 18 && is_number(g->value, len)) {
		v.kind = VALUE_NUMBER;
		v.number = strtoll(g->value, NULL, g->value[1] == 'x' ? 16 : 10);
	}
	return v;
}

static void assign_secret(struct args *a, struct assignment *to, const struct given *g)
{
	struct option_value v = value_of(g);
	char *secret;

	if (g->value[0] != '@') {
		option_assign(to, g->row, &v);
		return;
	}
	secret = words_read_secret(g->value + 1);
	if (!secret) {
		a->failed = help_usage_error(a->command, "cannot read the %s from %s: %s", g->row->flag, g->value + 1,
					     errno == EINVAL ? "its first line is empty or too long" : strerror(errno));
		return;
	}
	v.text = secret;
	option_assign(to, g->row, &v);
	sodium_memzero(secret, strlen(secret));
	free(secret);
}

static void assign_address(struct args *a, struct server_spec *spec, const struct given *g)
{
	int errors = a->loading.problems.n_errors;

	spec->port.number = 0;
	spec_set_address(spec, g->value, 0, &a->loading.problems);
	if (!spec->port.number && a->loading.problems.n_errors == errors)
		a->failed = help_usage_error(a->command, "-s wants HOST:PORT%s",
					     strchr(spec->host.text, ':') ? "; an IPv6 address needs brackets: [::1]:8388" : ", as in 192.0.2.1:8388");
}

static int count_given(const struct args *a, const struct option_row *row)
{
	int n = 0;

	for (int i = 0; i < a->n_given; i++)
		n += a->given[i].row == row;
	return n;
}

/* The i-th of n -s, -m or -k; the file's only server is the first. Several -s are
 * as many servers; what is given once holds for all of them. */
static struct server_spec *spec_of_option(struct args *a, const struct given *g, int i, int n)
{
	struct spec_list *specs = &a->loading.specs;
	const struct option_row *s = option_find_letter('s', a->command->option_bit);
	int servers = count_given(a, s) > 1 ? count_given(a, s) : 1;

	if (specs->n > 1 && args_find(a, OPTION_SOURCE))
		a->failed = help_usage_error(a->command, "-s, -m and -k cannot say which of the file's %d servers they mean", specs->n);
	else if (n > 1 && n != servers)
		a->failed = help_usage_error(a->command, "-%c stands %d times beside %d -s: give it once for all servers, or once for each",
					     g->row->letter, n, servers);
	while (!a->failed && specs->n < servers)
		spec_list_add(specs);
	return a->failed ? NULL : &specs->items[i];
}

static void assign_to(struct args *a, const struct given *g, struct server_spec *spec);

static void assign_option(struct args *a, const struct given *g)
{
	static struct server_spec none;
	int n = g->row->home == HOME_SERVER ? count_given(a, g->row) : 0, nth = 0;

	if (!n) {
		assign_to(a, g, &none);
		return;
	}
	for (const struct given *at = a->given; at < g; at++)
		nth += at->row == g->row;
	for (int i = nth; !a->failed && (i == nth || (n == 1 && i < a->loading.specs.n)); i++) {
		struct server_spec *spec = spec_of_option(a, g, i, n);

		if (spec)
			assign_to(a, g, spec);
	}
}

/* Hops of the command line stand in place of the file's, before every server. */
static void assign_hops(struct args *a)
{
	struct server_spec hops = { 0 };

	for (int i = 0; i < a->n_given; i++)
		if (a->given[i].row && a->given[i].row->type == OPTION_HOPS)
			hop_add(&hops, a->given[i].value, 0);
	if (hops.n_hops)
		hop_keep(a->loading.config, &hops);
	for (int i = 0; hops.n_hops && i < a->loading.specs.n; i++) {
		hop_list_free(&a->loading.specs.items[i]);
		hop_inherit(&a->loading.specs.items[i], &hops);
	}
	spec_free(&hops);
}

static void assign_to(struct args *a, const struct given *g, struct server_spec *spec)
{
	char name[64];
	struct assignment to = { a->loading.config, spec, &a->loading.problems, name, NULL, &a->loading.locals };
	struct option_value v = value_of(g);
	int errors = a->loading.problems.n_errors;

	if (g->row->letter)
		snprintf(name, sizeof(name), "-%c", g->row->letter);
	else
		snprintf(name, sizeof(name), "--%s", g->row->flag);
	if (g->row->type == OPTION_ADDRESS)
		assign_address(a, spec, g);
	else if (g->row->type == OPTION_SECRET)
		assign_secret(a, &to, g);
	else
		option_assign(&to, g->row, &v);
	if (!a->failed && a->loading.problems.n_errors > errors)
		a->failed = help_usage_error(a->command, "%s", a->loading.problems.items[a->loading.problems.n - 1].text);
}

static void wipe_and_free(char *secret)
{
	if (secret)
		sodium_memzero(secret, strlen(secret));
	free(secret);
}

void args_apply_environment(struct spec_list *specs)
{
	char *secret = words_take_password();

	if (secret) {
		wipe_and_free(kept.password);
		kept.password = secret;
	}
	for (int i = 0; kept.password && i < specs->n; i++)
		if (!specs->items[i].password.text)
			spec_set_text(&specs->items[i].password, kept.password, strlen(kept.password), 0);
}

/* Lists of the command line stand in place of the file's. */
static void clear_lists(struct args *a)
{
	for (int i = 0; i < a->n_given; i++)
		if (a->given[i].row && up_is_list(a->given[i].row))
			up_clear_list(a->loading.config, a->given[i].row);
}

static void assign_options(struct args *a)
{
	clear_lists(a);
	for (int i = 0; i < a->n_given && !a->failed; i++)
		if (a->given[i].row && a->given[i].row->type != OPTION_SOURCE && a->given[i].row->type != OPTION_HOPS)
			assign_option(a, &a->given[i]);
	if (!a->failed)
		assign_hops(a);
	if (!a->failed && a->loading.config->verbose && a->loading.config->quiet)
		a->failed = help_usage_error(a->command, "-v or -q, not both");
}

static void wipe_arguments(struct args *a)
{
	for (int i = 0; i < a->n_given; i++) {
		if (!a->given[i].row)
			words_wipe_url(a->given[i].value);
		else if (a->given[i].row->type == OPTION_SECRET && a->given[i].value[0] != '@')
			words_wipe(a->given[i].value);
		else if (a->given[i].row->type == OPTION_HOPS)
			words_wipe(a->given[i].value);
	}
}

/* The first error as one line, for who cannot see standard error. */
static void first_error(struct problems *p, char *why, size_t size)
{
	FILE *f = size ? fmemopen(why, size, "w") : NULL;

	if (!f)
		return;
	problems_print(p, PROBLEM_ERROR, f);
	fclose(f);
	why[strcspn(why, "\n")] = 0;
}

/* 0, or the exit code; and why, where there is room for it. */
static int load(struct args *a, struct config *c, char *why, size_t size)
{
	int code = 0;

	check_sources(a);
	if (a->failed)
		return a->failed;
	load_begin(&a->loading, c);
	a->loading.serverless = command_is_serverless(a->command);
	bool readable = load_source(a);

	if (readable)
		assign_options(a);
	args_apply_environment(&a->loading.specs);
	if (a->failed) {
		load_end(&a->loading);
		return a->failed;
	}
	if (readable)
		load_finish(&a->loading, a->command->option_bit);
	report_set_up_log(a->command, c);
	report_problems(a->command, &a->loading.problems, c);
	if (a->loading.problems.n_errors) {
		first_error(&a->loading.problems, why, size);
		code = args_want_command(a) ? EXIT_RUN_FAILED : EXIT_BAD_CONFIG;
	} else if (!engine_acls_read(c)) {
		snprintf(why, size, "an ACL file has errors");
		code = args_want_command(a) ? EXIT_RUN_FAILED : EXIT_BAD_CONFIG;
	}
	load_end(&a->loading);
	return code;
}

/* ---- once more ---- */

static void forget_kept(void)
{
	for (int i = 0; i < kept.args.n_given; i++)
		wipe_and_free(kept.args.given[i].value);
	free(kept.args.given);
	wipe_and_free(kept.password);
	memset(&kept, 0, sizeof(kept));
}

static void keep(const struct args *a)
{
	const struct given *file = args_find(a, OPTION_SOURCE);

	if (!file || strcmp(file->value, "-") == 0) {
		forget_kept();
		return;
	}
	kept.args.command = a->command;
	kept.args.given = calloc((size_t)a->n_given, sizeof(*kept.args.given));
	if (!kept.args.given)
		die(1, "out of memory");
	for (int i = 0; i < a->n_given; i++) {
		struct given *g = &kept.args.given[kept.args.n_given++];

		*g = a->given[i];
		if (g->value && !(g->value = strdup(g->value)))
			die(1, "out of memory");
	}
}

static bool load_again(void *owner, struct config *fresh, char *why, size_t size)
{
	struct args a = kept.args;

	(void)owner;
	if (load(&a, fresh, why, size) != 0)
		return false;
	if (a.command->option_bit != FOR_SERVER)
		online_merge(fresh);
	if (fresh->n_servers || fresh->manager.address)
		return true;
	snprintf(why, size, "no server is given, and none has come from the network yet");
	return false;
}

static const struct reload_source again = { load_again, NULL };

/* ---- the whole ---- */

bool args_load_config(const struct command *command, int argc, char **argv, struct config *c, char ***rest, int *exit_code)
{
	/* Each argument gives at most as many options as it has letters. */
	size_t most = 1;
	struct args a = { .command = command, .argc = argc, .argv = argv };

	for (int i = 1; i < argc; i++)
		most += strlen(argv[i]) + 1;
	a.given = calloc(most, sizeof(*a.given));
	if (!a.given)
		die(1, "out of memory");
	*c = (struct config){ 0 };
	args_walk(&a);
	if (a.help)
		help_print_command(command);
	*exit_code = a.help ? 0 : a.failed ? a.failed : load(&a, c, NULL, 0);
	if (!a.help && !*exit_code)
		keep(&a);
	else
		forget_kept();
	wipe_arguments(&a);
	free(a.given);
	if (a.help || *exit_code) {
		config_free(c);
		return false;
	}
	*rest = a.rest;
	reload_set_source(kept.args.given ? &again : NULL);
	return true;
}

void args_forget(void)
{
	reload_set_source(NULL);
	forget_kept();
}

bool args_want_help(const struct command *command, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			help_print_command(command);
			return true;
		}
	}
	return false;
}

int args_run_engine(const struct command *command, int argc, char **argv, int (*engine)(const struct config *))
{
	struct config config;
	char **rest;
	int code = sys_secrets_protect();

	if (code)
		die(1, "cannot protect the process err=%s", err_name(code));
	if (!args_load_config(command, argc, argv, &config, &rest, &code))
		return code;
	if (service_begin(&config, command->option_bit == FOR_UP, &code)) {
		code = command->option_bit & (FOR_LOCAL | FOR_UP) && !config.up.print_rules && online_load(&config) != 0;
		ctl_enable();
		if (!code)
			code = engine(&config);
		service_end();
	}
	config_free(&config);
	args_forget();
	return code;
}
