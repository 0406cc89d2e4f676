/* See acls.h. A file is known by its path and taken for unchanged while its
 * inode, size and times are. */
#include "engine/acls.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/list.h"
#include "base/log.h"
#include "route/decide.h"

struct known {
	struct list node;
	struct acl *acl;
	struct stat seen;
	char path[];
};

static struct list all = { &all, &all };

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static struct known *find(const char *path)
{
	list_for_each (it, &all) {
		struct known *k = container_of(it, struct known, node);

		if (strcmp(k->path, path) == 0)
			return k;
	}
	return NULL;
}

static void drop(struct known *k)
{
	acl_unref(k->acl);
	list_remove(&k->node);
	free(k);
}

/* ---- reading ---- */

static void log_lines(char *text)
{
	char *line = text, *next;

	for (; *line; line = next) {
		struct log_site own = { 0 };
		bool error = strstr(line, ": error: ") != NULL;

		next = strchrnul(line, '\n');
		if (*next)
			*next++ = 0;
		log_at(&own, error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "%s", line);
	}
}

static struct acl *load(const char *path)
{
	enum problem_kind least = log_level() < LOG_LEVEL_WARN ? PROBLEM_ERROR : PROBLEM_WARNING;
	char *said = NULL;
	size_t len;
	FILE *f = open_memstream(&said, &len);
	struct acl *a = f ? acl_load(path, least, f) : NULL;

	if (f)
		fclose(f);
	if (said)
		log_lines(said);
	free(said);
	return a;
}

static void remember(const char *path, struct acl *a, const struct stat *seen)
{
	struct known *k = calloc(1, sizeof(*k) + strlen(path) + 1);

	if (!k)
		return; /* then it is read again next time */
	k->acl = acl_ref(a);
	k->seen = *seen;
	strcpy(k->path, path);
	list_append(&all, &k->node);
}

struct acl *engine_acl_get(const char *path)
{
	struct known *k = find(path);
	struct stat seen;
	bool regular = stat(path, &seen) == 0 && S_ISREG(seen.st_mode);
	struct acl *a;

	if (k && regular && same_file(&k->seen, &seen))
		return acl_ref(k->acl);
	a = load(path);
	if (!a)
		return NULL;
	if (k)
		drop(k);
	if (regular)
		remember(path, a, &seen);
	return a;
}

static bool read_one(const char *path)
{
	struct acl *a = path ? engine_acl_get(path) : NULL;

	acl_unref(a);
	return a || !path;
}

bool engine_acls_read(const struct config *c)
{
	bool ok = read_one(c->acl);

	for (int i = 0; i < c->n_servers; i++)
		ok &= (c->servers[i].acl == c->acl) || read_one(c->servers[i].acl);
	for (int i = 0; i < c->n_locals; i++)
		ok &= (c->locals[i].acl == c->acl) || read_one(c->locals[i].acl);
	return ok;
}

void engine_acls_forget(void)
{
	list_for_each_safe (it, &all) {
		struct known *k = container_of(it, struct known, node);

		if (k->acl->refs == 1)
			drop(k);
	}
}

/* ---- as a filter ---- */

static bool deny_name(const void *rules, const char *name, size_t len, bool *named)
{
	return route_name_denied(rules, name, len, named);
}

static bool deny_addr(const void *rules, const struct addr *a, bool named)
{
	return route_address_denied(rules, a, named);
}

struct target_filter engine_acl_filter(const struct acl *acl)
{
	return (struct target_filter){ .deny_name = deny_name, .deny_addr = deny_addr, .rules = acl };
}
