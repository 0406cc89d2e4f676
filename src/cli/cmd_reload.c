/*
 * `gatun reload`: the request "reload" to the one instance of this user that runs, or
 * to that at --control. With several it names them: which one was meant, only the
 * user knows.
 *
 * Exit codes: 0 it is what its file says now; 1 it is not, or nothing runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/args.h"
#include "conf/utf8.h"
#include "ctl/ask.h"
#include "ctl/socket.h"

struct found {
	char **paths;
	int n;
};

static void keep(void *owner, const char *path)
{
	struct found *f = owner;
	char **paths = realloc(f->paths, sizeof(*paths) * (size_t)(f->n + 1));

	if (!paths || !(paths[f->n] = strdup(path)))
		die(1, "out of memory");
	f->paths = paths;
	f->n++;
}

static void forget(struct found *f)
{
	for (int i = 0; i < f->n; i++)
		free(f->paths[i]);
	free(f->paths);
}

static int complain(const char *path, const char *why)
{
	char *shown = strdup(why);

	if (!shown)
		die(1, "out of memory");
	utf8_make_printable(shown);
	fprintf(stderr, "gatun reload: %s: %s\n", path, shown);
	free(shown);
	return 1;
}

static int reload(const char *path)
{
	json_t *request = json_pack("{s:s}", "request", "reload"), *answer;
	int err = ctl_ask(path, request, &answer), code = 0;
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (err || error)
		code = complain(path, err ? ctl_ask_sentence(err) : error);
	json_decref(answer);
	json_decref(request);
	return code;
}

static int reload_only(void)
{
	struct found f = { 0 };
	int code = 1;

	ctl_socket_find(keep, &f);
	if (f.n == 1)
		code = reload(f.paths[0]);
	else if (!f.n)
		fprintf(stderr, "gatun reload: nothing runs\n");
	else
		fprintf(stderr, "gatun reload: %d run; say which:\n", f.n);
	for (int i = 0; f.n > 1 && i < f.n; i++)
		fprintf(stderr, "  gatun reload --control %s\n", f.paths[i]);
	forget(&f);
	return code;
}

int cmd_reload(const struct command *self, int argc, char **argv)
{
	if (args_want_help(self, argc, argv))
		return 0;
	if (argc == 1)
		return reload_only();
	if (argc == 3 && strcmp(argv[1], "--control") == 0)
		return reload(argv[2]);
	if (argc == 2 && strncmp(argv[1], "--control=", 10) == 0)
		return reload(argv[1] + 10);
	return help_usage_error(self, "it takes --control PATH, or nothing");
}
