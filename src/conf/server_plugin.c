/*
 * The checks of a server's plugin; see server_plugin.h. Whether the program is
 * there is not asked: a config may be checked on another machine. Its name is
 * shown, its options and arguments never are.
 */
#include "conf/server_plugin.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "conf/utf8.h"

static const char *keep(struct config *c, const struct spec_text *t)
{
	const char *copy;

	if (!t->text || !*t->text)
		return NULL;
	copy = config_keep_text(c, t->text, strlen(t->text));
	if (!copy)
		die(1, "out of memory");
	return copy;
}

static void warn_useless(const struct server_spec *s, struct problems *p)
{
	if (s->plugin_opts.text && *s->plugin_opts.text)
		problem_add(p, PROBLEM_WARNING, s->plugin_opts.at, "options of a plugin without \"plugin\": they have no effect");
}

/* What it carries, of what the server does. */
static bool check_mode(const struct server_spec *s, struct config_server *out, struct problems *p)
{
	enum config_mode asked = s->plugin_mode.number ? (enum config_mode)s->plugin_mode.number : MODE_TCP_ONLY;

	out->plugin.mode = asked & out->mode;
	if (out->plugin.mode)
		return true;
	problem_add(p, PROBLEM_ERROR, s->plugin_mode.at ? s->plugin_mode.at : s->plugin.at,
		    "the plugin carries %s and the server does not: nothing would go through it",
		    asked == MODE_TCP_ONLY ? "TCP" : "UDP");
	return false;
}

/* It goes into messages as it is. */
static bool check_name(const struct server_spec *s, struct problems *p)
{
	char *printable = strdup(s->plugin.text);
	bool ok;

	if (!printable)
		die(1, "out of memory");
	utf8_make_printable(printable);
	ok = strcmp(printable, s->plugin.text) == 0;
	free(printable);
	if (!ok)
		problem_add(p, PROBLEM_ERROR, s->plugin.at, "the plugin's name holds what is no printable text");
	return ok;
}

/* It dials the server by itself. */
static bool check_way(const struct server_spec *s, const struct config_server *out, struct problems *p)
{
	if (!out->n_hops)
		return true;
	problem_add(p, PROBLEM_ERROR, s->plugin.at,
		    "a plugin connects to the server by itself, past \"outbound_proxy\": leave out one of the two");
	return false;
}

bool server_plugin_check(const struct server_spec *s, struct config *c, struct config_server *out, struct problems *p)
{
	if (!s->plugin.text || !*s->plugin.text) {
		warn_useless(s, p);
		return true;
	}
	if (!check_name(s, p) || !check_mode(s, out, p) || !check_way(s, out, p))
		return false;
	out->plugin.name = keep(c, &s->plugin);
	out->plugin.options = keep(c, &s->plugin_opts);
	out->plugin.args = s->plugin_args;
	return true;
}
