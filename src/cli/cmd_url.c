/*
 * `gatun url FILE|URL`: a config as ss:// URLs, one line for each server (of a
 * server with users, for each user), or a URL as a config. This is the one subcommand whose output is a secret.
 */
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/args.h"
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

static void print_url(const struct server_spec *s)
{
	char *url = url_format(s);

	if (!url)
		die(1, "out of memory");
	puts(url);
	url_free(url);
}

/* Nobody comes in with the server's key alone: a URL for each user, by his name. */
static void print_user_urls(const struct server_spec *s)
{
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
		print_url(&one);
		sodium_memzero(both, len);
		free(both);
	}
}

static void print_urls(const struct spec_list *specs)
{
	for (int i = 0; i < specs->n; i++) {
		const struct server_spec *s = &specs->items[i];

		if (s->disabled.number)
			continue;
		if (s->n_users)
			print_user_urls(s);
		else
			print_url(s);
	}
}

int cmd_url(const struct command *self, int argc, char **argv)
{
	struct config config;
	struct loading l;
	bool from_url, ok;

	if (args_want_help(self, argc, argv))
		return 0;
	if (argc != 2 || (argv[1][0] == '-' && argv[1][1]))
		return help_usage_error(self, "give one config FILE (- is standard input) or ss:// URL");
	json_wipe_memory();
	from_url = url_is_ss(argv[1]);
	sys_secrets_protect(); /* best effort: this process is short */
	load_begin(&l, &config);
	ok = from_url ? load_url(&l, argv[1]) : load_file(&l, argv[1]);
	words_wipe_url(argv[1]);
	args_apply_environment(&l.specs);
	if (ok)
		ok = load_finish(&l, FOR_URL);
	problems_print(&l.problems, PROBLEM_WARNING, stderr);
	if (ok && from_url)
		print_json(&l.specs.items[0]);
	else if (ok)
		print_urls(&l.specs);
	load_end(&l);
	config_free(&config);
	return ok ? 0 : EXIT_BAD_CONFIG;
}
