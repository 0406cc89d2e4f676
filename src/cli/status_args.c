/* See status_args.h. Words say what, options say how; they may stand in any order. */
#include "cli/status_args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/nearest.h"

#define LIMIT_MAX 10000

struct reading {
	const struct command *self;
	struct status_args *out;
	const char *words[4]; /* those that are no options */
	int n_words;
};

static bool read_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && !*end && *out && *out <= max;
}

/* ---- options ---- */

static int read_limit(struct reading *r, const char *text)
{
	uint64_t n;

	if (!read_number(text, LIMIT_MAX, &n))
		return help_usage_error(r->self, "--limit: a number from 1 to %d", LIMIT_MAX);
	r->out->limit = (uint32_t)n;
	return 0;
}

static int read_sort(struct reading *r, const char *text)
{
	if (strcmp(text, "rate") != 0 && strcmp(text, "bytes") != 0 && strcmp(text, "age") != 0)
		return help_usage_error(r->self, "--sort: rate, bytes or age");
	r->out->sort = text;
	return 0;
}

static int read_control(struct reading *r, const char *text)
{
	r->out->control = text;
	return 0;
}

static const struct {
	const char *name;
	size_t flag; /* of a bool in status_args, */
	int (*read)(struct reading *, const char *text); /* or what takes a value */
} options[] = {
	{ "json", offsetof(struct status_args, json), NULL },
	{ "prometheus", offsetof(struct status_args, prometheus), NULL },
	{ "watch", offsetof(struct status_args, watch), NULL },
	{ "control", 0, read_control },
	{ "limit", 0, read_limit },
	{ "sort", 0, read_sort },
};

static int unexpected(const struct reading *r, const char *arg)
{
	bool option = strncmp(arg, "--", 2) == 0;
	struct nearest near = { .word = option ? arg + 2 : arg };
	char shown[64];

	for (size_t i = 0; option && i < sizeof(options) / sizeof(options[0]); i++)
		nearest_offer(&near, options[i].name);
	if (near.best)
		return help_usage_error(r->self, "unknown option %s, did you mean --%s?", log_escape(arg, strlen(arg), shown, sizeof(shown)), near.best);
	return help_usage_error(r->self, "unexpected argument \"%s\"", log_escape(arg, strlen(arg), shown, sizeof(shown)));
}

/* "--name", "--name VALUE", "--name=VALUE"; *next is what stands behind it, or NULL, and
 * becomes NULL when it is used up. */
static int read_option(struct reading *r, const char *arg, const char **next)
{
	const char *equals = strchr(arg, '=');
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const char *value = equals ? equals + 1 : *next;

		if (strlen(options[i].name) != len - 2 || strncmp(arg + 2, options[i].name, len - 2) != 0)
			continue;
		if (!options[i].read && !equals) {
			*(bool *)((char *)r->out + options[i].flag) = true;
			return 0;
		}
		if (!options[i].read || !value)
			return help_usage_error(r->self, "--%s takes %s", options[i].name, value ? "no value" : "a value");
		if (!equals)
			*next = NULL;
		return options[i].read(r, value);
	}
	return unexpected(r, arg);
}

/* ---- words ---- */

static int read_words(struct reading *r)
{
	const char *what = r->n_words ? r->words[0] : "";
	int at = 1;

	if (strcmp(what, "flows") == 0)
		r->out->what = STATUS_FLOWS;
	else if (strcmp(what, "flush") == 0)
		r->out->what = STATUS_FLUSH;
	else if (strcmp(what, "kill") == 0)
		r->out->what = STATUS_KILL;
	else if (*what)
		return unexpected(r, what);
	if (r->out->what == STATUS_KILL) {
		at += r->n_words > 1 && strcmp(r->words[1], "flow") == 0;
		if (at >= r->n_words || !read_number(r->words[at++], INT64_MAX, &r->out->flow))
			return help_usage_error(r->self, "kill flow N: N is a number of `gatun status flows`");
	}
	return at < r->n_words ? unexpected(r, r->words[at]) : 0;
}

static int check(const struct reading *r)
{
	const struct status_args *a = r->out;

	if (a->json + a->prometheus + a->watch > 1)
		return help_usage_error(r->self, "--json, --prometheus or --watch, not two of them");
	if (a->what != STATUS_ALL && (a->prometheus || a->watch))
		return help_usage_error(r->self, "--prometheus and --watch are of `gatun status` alone");
	if (a->json && a->what != STATUS_ALL && a->what != STATUS_FLOWS)
		return help_usage_error(r->self, "--json goes with `gatun status` and `gatun status flows`");
	if ((a->sort || a->limit) && a->what != STATUS_FLOWS)
		return help_usage_error(r->self, "--sort and --limit are of `gatun status flows`");
	return 0;
}

int status_args_read(const struct command *self, int argc, char **argv, struct status_args *out)
{
	struct reading r = { .self = self, .out = out };
	int code = 0;

	for (int i = 1; i < argc && !code; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		bool there = next;

		if (strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
			code = read_option(&r, argv[i], &next);
			i += there && !next;
		} else if (r.n_words == (int)(sizeof(r.words) / sizeof(r.words[0]))) {
			code = unexpected(&r, argv[i]);
		} else {
			r.words[r.n_words++] = argv[i];
		}
	}
	if (!code)
		code = read_words(&r);
	return code ? code : check(&r);
}
