/*
 * Users of a server (SIP023): their life as specs, and the checks that make
 * config_server_users of them. A user is a name, which only logs and counters show,
 * and a key, which alone tells him from others on the wire; so names are unique
 * for the reader's sake and keys for the server's. Messages never show a key.
 */
#include "conf/server_users.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"
#include "base/log.h"
#include "conf/utf8.h"
#include "crypto/kdf.h"

#define NAME_SHOWN 64

/* ---- as written ---- */

struct user_spec *spec_add_user(struct server_spec *s)
{
	s->users = array_grow_or_die(s->users, s->n_users, sizeof(*s->users));
	s->users[s->n_users] = (struct user_spec){ 0 };
	return &s->users[s->n_users++];
}

static void copy_text(struct spec_text *to, const struct spec_text *from)
{
	if (from->text)
		spec_set_text(to, from->text, strlen(from->text), from->at);
	to->at = from->at;
}

void spec_copy_users(struct server_spec *to, const struct server_spec *from)
{
	to->relay = from->relay;
	for (int i = 0; i < from->n_users; i++) {
		struct user_spec *u = spec_add_user(to);

		u->at = from->users[i].at;
		copy_text(&u->name, &from->users[i].name);
		copy_text(&u->password, &from->users[i].password);
		copy_text(&u->host, &from->users[i].host);
		u->port = from->users[i].port;
		u->limits = from->users[i].limits;
	}
}

/* ---- as used ---- */

static bool is_missing(const struct spec_text *t)
{
	return !t->text || !*t->text;
}

/* A value that was refused already has a place and no text. */
static bool require(const struct spec_text *t, const char *what, conf_place at, struct problems *p)
{
	if (!is_missing(t))
		return true;
	if (t->text || !t->at)
		problem_add(p, PROBLEM_ERROR, t->at ? t->at : at, "a user without a %s", what);
	return false;
}

static const char *shown(const struct user_spec *u, char buf[NAME_SHOWN])
{
	return log_escape(u->name.text, strlen(u->name.text), buf, NAME_SHOWN);
}

static bool check_user(const struct user_spec *u, struct config *c, const struct ss_method *m, struct config_server_user *out,
		       struct problems *p)
{
	char err[256] = "", name[NAME_SHOWN];
	bool ok = require(&u->name, "name", u->at, p);

	ok &= require(&u->password, "password", u->at, p);
	if (!ok)
		return false;
	if (ss_key_from_password(m, u->password.text, out->key, err, sizeof(err)) != 0) {
		problem_add(p, PROBLEM_ERROR, u->password.at, "password of user \"%s\": %s", shown(u, name), err);
		return false;
	}
	out->bytes_per_s = u->limits.user_bytes_per_s.number;
	out->flows_per_s = u->limits.user_flows_per_s.number;
	utf8_make_printable(u->name.text);
	out->name = config_keep_text(c, u->name.text, strlen(u->name.text));
	if (!out->name)
		die(1, "out of memory");
	return true;
}

/* Where a destination is. */
static bool check_next(const struct user_spec *u, struct config_server_user *out, struct problems *p)
{
	const char *host = u->host.text;
	char name[NAME_SHOWN];

	if (host && u->port.number && target_set(&out->next, host, strlen(host), (uint16_t)u->port.number) == 0)
		return true;
	if (host || !u->host.at)
		problem_add(p, PROBLEM_ERROR, u->host.at ? u->host.at : u->at, "destination \"%s\" wants \"server\" and \"server_port\"",
			    shown(u, name));
	return false;
}

/* Is user i like one before him? */
static bool check_unique(const struct config_server *s, const struct user_spec *u, struct problems *p)
{
	const struct config_server_user *mine = &s->users[s->n_users];
	char name[NAME_SHOWN];

	for (int i = 0; i < s->n_users; i++) {
		const struct config_server_user *other = &s->users[i];

		if (strcmp(other->name, mine->name) == 0)
			problem_add(p, PROBLEM_ERROR, u->name.at, "two users are named \"%s\"", shown(u, name));
		else if (sodium_memcmp(other->key, mine->key, s->method->key_len) == 0)
			problem_add(p, PROBLEM_ERROR, u->password.at,
				    "user \"%s\" has the same password as another: the server could not tell them apart",
				    shown(u, name));
		else
			continue;
		return false;
	}
	return true;
}

bool server_users_check(const struct server_spec *s, struct config *c, struct config_server *out, struct problems *p)
{
	bool ok = true;

	if (!s->n_users)
		return true;
	if (!ss_identity_supported(out->method)) {
		problem_add(p, PROBLEM_ERROR, s->users[0].at,
			    "users (SIP023) need 2022-blake3-aes-128-gcm or 2022-blake3-aes-256-gcm; %s has none", out->method->name);
		return false;
	}
	out->relay = s->relay.number;
	out->users = calloc((size_t)s->n_users, sizeof(*out->users));
	if (!out->users)
		die(1, "out of memory");
	for (int i = 0; i < s->n_users; i++) {
		struct config_server_user *u = &out->users[out->n_users];

		if (check_user(&s->users[i], c, out->method, u, p) && check_unique(out, &s->users[i], p) &&
		    (!out->relay || check_next(&s->users[i], u, p)))
			out->n_users++;
		else
			ok = false;
	}
	return ok;
}
