/*
 * See hosts.h. Loading builds a whole new table and swaps it in, so that a
 * file with an error (strict), or one that is missing while an editor replaces
 * it, changes nothing.
 *
 * "Changed" is inode, size or modification time with nanoseconds: editors
 * replace the file, container runtimes rewrite it in place. A file that was
 * seen broken is not read again before it changes once more.
 */
#include "resolve/hosts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/list.h"
#include "base/log.h"

#define CHECK_EVERY_MS 1000
#define BLANK " \t\r\n\v\f"

struct host {
	struct hash_node node;
	struct host *next; /* in table.all */
	struct addr *addrs;
	uint8_t n_addrs, len;
	char name[];
};

void hosts_init(struct hosts *h, const char *path, bool strict)
{
	*h = (struct hosts){ .path = path, .strict = strict };
}

static void table_free(struct hosts_table *t)
{
	for (struct host *e = t->all, *next; e; e = next) {
		next = e->next;
		free(e->addrs);
		free(e);
	}
	hash_free(&t->names);
	t->all = NULL;
}

void hosts_free(struct hosts *h)
{
	if (h->loaded)
		table_free(&h->table);
	h->loaded = false;
}

static struct host *table_find(const struct hosts_table *t, const char *name, size_t len)
{
	uint64_t key = hash_bytes(name, len);

	for (struct hash_node *n = hash_first(&t->names, key); n; n = hash_next(n, key)) {
		struct host *e = container_of(n, struct host, node);
		if (e->len == len && !memcmp(e->name, name, len))
			return e;
	}
	return NULL;
}

static struct host *table_add(struct hosts_table *t, const char *name, size_t len)
{
	struct host *e = calloc(1, sizeof(*e) + len + 1);

	if (!e)
		return NULL;
	memcpy(e->name, name, len);
	e->len = (uint8_t)len;
	hash_insert(&t->names, &e->node, hash_bytes(name, len));
	e->next = t->all;
	t->all = e;
	return e;
}

static int host_add_addr(struct host *e, const struct addr *a)
{
	struct addr *bigger;

	for (int i = 0; i < e->n_addrs; i++)
		if (addr_ip_equal(&e->addrs[i], a))
			return 0;
	if (e->n_addrs == RESOLVE_MAX)
		return 0;
	bigger = realloc(e->addrs, (e->n_addrs + 1u) * sizeof(*a));
	if (!bigger)
		return -ENOMEM;
	bigger[e->n_addrs++] = *a;
	e->addrs = bigger;
	return 0;
}

/* Lower-cases in place and drops a last dot. 0 if it is no name. */
static size_t normalise(char *name)
{
	size_t len = strlen(name);

	if (len && name[len - 1] == '.')
		name[--len] = 0;
	for (size_t i = 0; i < len; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	return len <= TARGET_NAME_MAX ? len : 0;
}

/* One line; NULL or what is wrong with it. A zone ("fe80::1%lo0") has no use
 * here: such a line is skipped. */
static const char *parse_line(struct hosts_table *t, char *line)
{
	char *save, *word;
	struct addr a;
	int names = 0;

	line[strcspn(line, "#")] = 0;
	word = strtok_r(line, BLANK, &save);
	if (!word || strchr(word, '%'))
		return NULL;
	if (addr_parse_ip(word, 0, &a) < 0)
		return "not an IP address at the start of the line";
	while ((word = strtok_r(NULL, BLANK, &save))) {
		size_t len = normalise(word);
		if (!len)
			return "not a name: empty or over 255 bytes";
		struct host *e = table_find(t, word, len);
		if (!e)
			e = table_add(t, word, len);
		if (!e || host_add_addr(e, &a) < 0)
			return "out of memory";
		names++;
	}
	return names ? NULL : "an address without a name";
}

static int parse_file(FILE *f, const struct hosts *h, struct hosts_table *t, char *err, size_t err_size)
{
	char *line = NULL;
	size_t size = 0, number = 0;
	int ret = 0;

	while (!ret && getline(&line, &size, f) >= 0) {
		const char *wrong = parse_line(t, line);
		number++;
		if (!wrong || !h->strict)
			continue;
		snprintf(err, err_size, "%s:%zu: %s", h->path, number, wrong);
		ret = -EINVAL;
	}
	if (!ret && ferror(f)) {
		snprintf(err, err_size, "%s: cannot be read: %s", h->path, err_name(EIO));
		ret = -EIO;
	}
	free(line);
	return ret;
}

int hosts_load(struct hosts *h, char *err, size_t err_size)
{
	struct hosts_table t = { .all = NULL };
	FILE *f = fopen(h->path, "re");
	int ret;

	if (!f) {
		ret = -errno;
		snprintf(err, err_size, "%s: cannot be opened: %s", h->path, err_name(ret));
		return ret;
	}
	if (fstat(fileno(f), &h->seen) < 0)
		memset(&h->seen, 0, sizeof(h->seen));
	ret = hash_init(&t.names);
	if (ret < 0) {
		snprintf(err, err_size, "%s: out of memory", h->path);
	} else {
		ret = parse_file(f, h, &t, err, err_size);
		if (ret < 0) {
			table_free(&t);
		} else {
			hosts_free(h);
			h->table = t;
			h->loaded = true;
		}
	}
	fclose(f);
	return ret;
}

static bool changed(const struct stat *a, const struct stat *b)
{
	return a->st_ino != b->st_ino || a->st_dev != b->st_dev || a->st_size != b->st_size ||
	       a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

static void follow(struct hosts *h, uint64_t now_ms)
{
	char err[256];
	struct stat st;

	if (h->checked_ms && now_ms - h->checked_ms < CHECK_EVERY_MS)
		return;
	h->checked_ms = now_ms ? now_ms : 1;
	if (stat(h->path, &st) < 0 || !changed(&st, &h->seen))
		return;
	h->seen = st;
	if (hosts_load(h, err, sizeof(err)) < 0)
		log_warn("%s; what it said before stays in force", err);
}

bool hosts_lookup(struct hosts *h, const char *name, size_t len, uint64_t now_ms, struct resolved *out)
{
	struct host *e;

	if (!h->path)
		return false;
	follow(h, now_ms);
	if (!h->loaded || !(e = table_find(&h->table, name, len)))
		return false;
	out->n = e->n_addrs;
	memcpy(out->addrs, e->addrs, e->n_addrs * sizeof(*e->addrs));
	return true;
}
