/*
 * `gatun url FILE|URL`: a config as ss:// URLs, one line for each server (of a
 * server with users, for each user), or a URL as a config; or, of either, QR
 * codes. This is the one subcommand whose output is a secret.
 */
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/args.h"
#include "cli/qr.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "conf/json_text.h"
#include "conf/load.h"
#include "conf/url.h"
#include "sys/secrets.h"

static void put_text(json_t *object, const char *key, const char *text)
{
	if (text && *text && json_object_set_new(object, key, json_string(text)) != 0)
		die(1, "\"%s\" is no UTF-8 and cannot stand in a JSON file", key);
}

static void print_json(const struct server_spec *s)
{
	json_t *object = json_object();

	put_text(object, "server", s->host.text);
	json_object_set_new(object, "server_port", json_integer(s->port.number));
	put_text(object, "method", s->method.text);
	put_text(object, "password", s->password.text);
	put_text(object, "plugin", s->plugin.text);
	put_text(object, "plugin_opts", s->plugin_opts.text);
	put_text(object, "remarks", s->tag.text);
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}

enum form { AS_TEXT, AS_QR, AS_SVG };

static bool fits_terminal(int width)
{
	int columns, rows;

	if (!terminal_can_draw())
		return true;
	terminal_size(&columns, &rows);
	if (width <= columns)
		return true;
	fprintf(stderr, "gatun url: the code is %d columns wide and the terminal %d: make it wider, or write a picture: --qr=svg >FILE\n", width,
		columns);
	return false;
}

static int print_qr(const struct server_spec *s, const char *url, enum form form)
{
	int width = qr_width(url);

	if (width == -ENOMEM)
		die(1, "out of memory");
	if (width < 0) {
		fprintf(stderr, "gatun url: a QR code holds 2,953 bytes at the most, and this URL has %zu\n", strlen(url));
		return 1;
	}
	if (form == AS_SVG)
		return qr_write_svg(url, stdout) ? 1 : 0;
	if (!fits_terminal(width))
		return 1;
	if (s->tag.text && *s->tag.text)
		printf("%s\n", s->tag.text);
	return qr_draw(url, terminal_wants_color(), stdout) ? 1 : 0;
}

static int print_url(const struct server_spec *s, enum form form)
{
	char *url = url_format(s);
	int code = 0;

	if (!url)
		die(1, "out of memory");
	if (form == AS_TEXT)
		puts(url);
	else
		code = print_qr(s, url, form);
	url_free(url);
	return code;
}

/* Nobody comes in with the server's key alone: a URL for each user, by his name. */
static int print_user_urls(const struct server_spec *s, enum form form)
{
	int code = 0;

	for (int i = 0; i < s->n_users; i++) {
		const char *own = s->password.text, *user = s->users[i].password.text;
		size_t len = strlen(own) + 1 + strlen(user);
		struct server_spec one = *s;
		char *both = malloc(len + 1);

		if (!both)
			die(1, "out of memory");
		stpcpy(stpcpy(stpcpy(both, own), ":"), user);
		one.password.text = both;
		one.tag = s->users[i].name;
		code |= print_url(&one, form);
		sodium_memzero(both, len);
		free(both);
	}
	return code;
}

static int count_urls(const struct spec_list *specs)
{
	int n = 0;

	for (int i = 0; i < specs->n; i++)
		if (!specs->items[i].disabled.number)
			n += specs->items[i].n_users ? specs->items[i].n_users : 1;
	return n;
}

static int print_urls(const struct spec_list *specs, enum form form)
{
	int code = 0;

	if (form == AS_SVG && count_urls(specs) > 1) {
		fprintf(stderr, "gatun url: a picture has one code, and this config makes %d\n", count_urls(specs));
		return 1;
	}
	for (int i = 0; i < specs->n; i++) {
		const struct server_spec *s = &specs->items[i];

		if (s->disabled.number)
			continue;
		code |= s->n_users ? print_user_urls(s, form) : print_url(s, form);
	}
	return code;
}

/* "--qr" or "--qr=FORM"; -1: something else. */
static int form_of(const char *arg)
{
	if (strcmp(arg, "--qr") == 0 || strcmp(arg, "--qr=terminal") == 0)
		return AS_QR;
	return strcmp(arg, "--qr=svg") == 0 ? AS_SVG : -1;
}

/* The one FILE or URL; NULL: the words are others, and that has been said. */
static char *read_words(const struct command *self, int argc, char **argv, enum form *form)
{
	char *source = NULL;
	bool wrong = false;

	for (int i = 1; i < argc; i++) {
		int as = form_of(argv[i]);

		if (strncmp(argv[i], "--qr", 4) == 0 && as < 0) {
			help_usage_error(self, "--qr is a code on the terminal, --qr=svg a picture");
			return NULL;
		}
		if (as >= 0)
			*form = (enum form)as;
		else if (source || (argv[i][0] == '-' && argv[i][1]))
			wrong = true;
		else
			source = argv[i];
	}
	if (wrong || !source)
		help_usage_error(self, "give one config FILE (- is standard input) or ss:// URL");
	return wrong ? NULL : source;
}

int cmd_url(const struct command *self, int argc, char **argv)
{
	enum form form = AS_TEXT;
	struct config config;
	struct loading l;
	bool from_url, ok;
	int code = EXIT_BAD_CONFIG;
	char *source;

	if (args_want_help(self, argc, argv))
		return 0;
	source = read_words(self, argc, argv, &form);
	if (!source)
		return EXIT_USAGE;
	json_wipe_memory();
	from_url = url_is_ss(source);
	sys_secrets_protect(); /* best effort: this process is short */
	load_begin(&l, &config);
	ok = from_url ? load_url(&l, source) : load_file(&l, source);
	words_wipe_url(source);
	args_apply_environment(&l.specs);
	if (ok)
		ok = load_finish(&l, FOR_URL);
	problems_print(&l.problems, PROBLEM_WARNING, stderr);
	if (ok && from_url && form == AS_TEXT)
		print_json(&l.specs.items[0]);
	if (ok)
		code = from_url && form == AS_TEXT ? 0 : print_urls(&l.specs, form);
	load_end(&l);
	config_free(&config);
	return code;
}
