/*
 * From sources to a checked config: a file or a URL is read into a loading, the
 * command line may change what it read, load_finish checks the whole. Problems
 * collect on the way; nothing stops at the first.
 *
 *   struct loading l;
 *   load_begin(&l, &config);
 *   load_file(&l, "config.json");
 *   load_finish(&l, FOR_RUN);
 *   problems_print(&l.problems, PROBLEM_WARNING, stderr);
 *   ok = !l.problems.n_errors;
 *   load_end(&l);
 */
#ifndef GATUN_CONF_LOAD_H
#define GATUN_CONF_LOAD_H

#include <stdbool.h>

#include "conf/local.h"
#include "conf/option.h"
#include "conf/spec.h"

struct loading {
	struct config *config;
	struct spec_list specs;
	struct local_list locals;
	struct problems problems;
	bool serverless; /* no server need be there */
	const char *file_acl; /* what the file said, before options */
	struct spec_text tun_acl; /* of the inbound that holds the keys of `run` */
	char *text; /* the file, which problems point into */
	size_t text_len;
};

/* Gives the config its defaults. */
void load_begin(struct loading *, struct config *);
/* A JSON file; "-" is standard input. False: nothing could be read of it. */
bool load_file(struct loading *, const char *path);
/* The same for text in memory; `name` is the source in messages and must live
 * as long as the loading. */
bool load_text(struct loading *, const char *name, const char *text, size_t len);
bool load_url(struct loading *, const char *url);
/* Checks the servers and puts them into the config. `command` is FOR_RUN,
 * FOR_SERVER, FOR_LOCAL (then the inbounds too) or FOR_CHECK. True without errors. */
bool load_finish(struct loading *, uint32_t command);
/* Wipes and frees what was read; the config stays. */
void load_end(struct loading *);

#endif
