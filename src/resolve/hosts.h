/*
 * A hosts file in memory: "IP name [name...]", '#' comments. It follows its
 * file: before a look-up, at most once a second, a changed file is read again.
 * Names are keyed in lower case without a last dot.
 */
#ifndef GATUN_RESOLVE_HOSTS_H
#define GATUN_RESOLVE_HOSTS_H

#include <sys/stat.h>

#include "base/hash.h"
#include "resolve/resolve.h"

struct host; /* one name */

struct hosts_table {
	struct hash names;
	struct host *all;
};

struct hosts {
	const char *path; /* borrowed for the life of it */
	bool strict;	  /* a broken line is an error; else it is skipped */
	bool loaded;
	struct hosts_table table;
	uint64_t checked_ms;
	struct stat seen;
};

/* Touches no file yet. */
void hosts_init(struct hosts *h, const char *path, bool strict);
void hosts_free(struct hosts *h);
/* Reads the file. 0, or -errno with a sentence in err and the old content
 * kept: it cannot be read, or (strict) "path:line: what is wrong". */
int hosts_load(struct hosts *h, char *err, size_t err_size);
/* The addresses of `name` (lower case, no last dot) in the file's order, at
 * most RESOLVE_MAX. True if the file has the name. */
bool hosts_lookup(struct hosts *h, const char *name, size_t len, uint64_t now_ms, struct resolved *out);

#endif
