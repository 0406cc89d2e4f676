/*
 * SIP003 in words: what a plugin is told, which is its environment, and how an
 * ss:// URL names one. The options of a plugin are its own business: they are
 * handed on as they stand, with the backslashes that escape ; = : and \ in them.
 */
#ifndef GATUN_PROTO_SIP003_H
#define GATUN_PROTO_SIP003_H

#include <stddef.h>

#include "base/addr.h"

/* "name;key=value;flag", as after plugin= in a URL (percent-decoded): the name
 * ends at the first ; that no backslash escapes. Writes the name without its
 * escapes (strlen(text) + 1 bytes are enough); returns the options, "" if none. */
const char *sip003_split(const char *text, char *name);
/* The other way: name and options joined (2 * strlen(name) + strlen(options) + 2
 * bytes are enough). Returns the end. */
char *sip003_join(const char *name, const char *options, char *out);

/* Between whom a plugin stands. */
struct sip003_way {
	const struct target *remote; /* client: the server; server: the public address */
	const struct addr *local;    /* where the Shadowsocks side is, on loopback */
	const char *options;	     /* or NULL */
};

#define SIP003_ENV_MAX 24
struct sip003_env {
	char *vars[SIP003_ENV_MAX + 1]; /* NULL-terminated */
};

/* SS_REMOTE_HOST and the like, and from `ours` the few that every program needs
 * (PATH, HOME, locale, certificates). 0 or -ENOMEM; to be freed in any case. */
int sip003_env_make(struct sip003_env *, const struct sip003_way *, char *const *ours);
/* Wipes: options hold passwords. */
void sip003_env_free(struct sip003_env *);

#endif
