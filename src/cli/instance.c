/* See instance.h. With several instances it names them: which one was meant, only the user knows. */
#include "cli/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"
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

	f->paths = array_grow_or_die(f->paths, f->n, sizeof(*f->paths));
	f->paths[f->n] = strdup(path);
	if (!f->paths[f->n++])
		die(1, "out of memory");
}

/* All but the one that is taken out as the result. */
static char *take_only(struct found *f)
{
	char *only = f->n == 1 ? f->paths[0] : NULL;

	for (int i = 0; i < f->n && !only; i++)
		free(f->paths[i]);
	free(f->paths);
	return only;
}

char *instance_find(int *n)
{
	struct found f = { 0 };

	ctl_socket_find(keep, &f);
	*n = f.n;
	return take_only(&f);
}

char *instance_only(const struct command *self, const char *words)
{
	struct found f = { 0 };

	ctl_socket_find(keep, &f);
	if (!f.n)
		fprintf(stderr, "gatun %s: nothing runs\n", self->name);
	if (f.n > 1)
		fprintf(stderr, "gatun %s: %d run; say which:\n", self->name, f.n);
	for (int i = 0; f.n > 1 && i < f.n; i++)
		fprintf(stderr, "  gatun %s --control %s\n", words, f.paths[i]);
	return take_only(&f);
}

void instance_complain(const struct command *self, const char *path, const char *why)
{
	char *shown = strdup(why);

	if (!shown)
		die(1, "out of memory");
	utf8_make_printable(shown);
	fprintf(stderr, "gatun %s: %s: %s\n", self->name, path, shown);
	free(shown);
}

json_t *instance_ask(const struct command *self, const char *path, json_t *request)
{
	json_t *answer;
	int err = ctl_ask(path, request, &answer);
	const char *error = json_string_value(json_object_get(answer, "error"));

	json_decref(request);
	if (!err && !error)
		return answer;
	instance_complain(self, path, err ? ctl_ask_sentence(err) : error);
	json_decref(answer);
	return NULL;
}
