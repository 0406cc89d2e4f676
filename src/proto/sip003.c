/* The words between us and a plugin; see sip003.h. */
#include "proto/sip003.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a program may need of our environment. All else stays with us: it may
 * hold secrets (GATUN_PASSWORD), or change what the program is (LD_PRELOAD). */
static const char *const passed[] = {
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
};

const char *sip003_split(const char *text, char *name)
{
	while (*text && *text != ';') {
		if (*text == '\\' && text[1])
			text++;
		*name++ = *text++;
	}
	*name = 0;
	return *text ? text + 1 : text;
}

char *sip003_join(const char *name, const char *options, char *out)
{
	for (; *name; name++) {
		if (*name == ';' || *name == '\\')
			*out++ = '\\';
		*out++ = *name;
	}
	*out = 0;
	if (options && *options)
		out = stpcpy(stpcpy(out, ";"), options);
	return out;
}

static int put(struct sip003_env *e, int *n, const char *name, const char *value)
{
	char *var = NULL;

	if (asprintf(&var, "%s=%s", name, value) < 0)
		return -ENOMEM;
	e->vars[(*n)++] = var;
	return 0;
}

static int put_port(struct sip003_env *e, int *n, const char *name, unsigned port)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", port);
	return put(e, n, name, text);
}

/* Without brackets and port. */
static void format_host(const struct addr *a, char host[INET6_ADDRSTRLEN])
{
	inet_ntop(a->family, &a->ip, host, INET6_ADDRSTRLEN);
}

static int put_ours(struct sip003_env *e, int *n, char *const *ours)
{
	for (size_t i = 0; i < sizeof(passed) / sizeof(*passed); i++) {
		size_t len = strlen(passed[i]);

		for (char *const *at = ours; *at; at++) {
			if (strncmp(*at, passed[i], len) != 0 || (*at)[len] != '=')
				continue;
			if (put(e, n, passed[i], *at + len + 1) != 0)
				return -ENOMEM;
			break;
		}
	}
	return 0;
}

int sip003_env_make(struct sip003_env *e, const struct sip003_way *w, char *const *ours)
{
	char host[INET6_ADDRSTRLEN], local[INET6_ADDRSTRLEN];
	int n = 0;

	static_assert(sizeof(passed) / sizeof(*passed) + 5 <= SIP003_ENV_MAX, "all of it fits");
	*e = (struct sip003_env){ 0 };
	format_host(w->local, local);
	if (!target_is_name(w->remote))
		format_host(&w->remote->ip, host);
	if (put(e, &n, "SS_REMOTE_HOST", target_is_name(w->remote) ? w->remote->name : host) != 0 ||
	    put_port(e, &n, "SS_REMOTE_PORT", target_port(w->remote)) != 0 || put(e, &n, "SS_LOCAL_HOST", local) != 0 ||
	    put_port(e, &n, "SS_LOCAL_PORT", w->local->port) != 0)
		return -ENOMEM;
	if (w->options && *w->options && put(e, &n, "SS_PLUGIN_OPTIONS", w->options) != 0)
		return -ENOMEM;
	return put_ours(e, &n, ours);
}

void sip003_env_free(struct sip003_env *e)
{
	for (int i = 0; e->vars[i]; i++) {
		sodium_memzero(e->vars[i], strlen(e->vars[i]));
		free(e->vars[i]);
	}
	*e = (struct sip003_env){ 0 };
}
