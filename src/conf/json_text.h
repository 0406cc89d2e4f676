/*
 * JSON as people write it: comments (// and block), trailing commas and a byte
 * order mark are blanked out in place, byte for byte, so that every position in
 * what jansson parses is a position in the file. And where each member stands:
 * jansson reports places of syntax errors only.
 */
#ifndef GATUN_CONF_JSON_TEXT_H
#define GATUN_CONF_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/problem.h"

/* Blanks `text`, a copy of the problems' own, in place and parses it; duplicate keys are refused. NULL: what
 * is wrong, and where, or whose config it is, is in the problems, in words that quote nothing of the text. */
json_t *json_text_parse(char *text, size_t len, struct problems *);

/* From now on jansson wipes what it frees: it holds passwords. */
void json_wipe_memory(void);

/* A document in one line, the newline included, for free(): what json_dumps()
 * gives is not, once memory is wiped. NULL: out of memory, or no document. */
char *json_text_line(const json_t *);

struct json_place {
	const json_t *parent;
	const char *key; /* NULL in an array: */
	size_t index;
	conf_place key_at, value_at;
};

struct json_places {
	struct json_place *items;
	size_t n;
	uint32_t room;
	size_t hint; /* readers ask in the order of the text: the search starts here */
};

/* `text` (blanked) is what `root` was parsed from, without duplicate keys.
 * 0, -ENOMEM, or -EINVAL if the two do not match. */
int json_places_build(struct json_places *, const char *text, size_t len, const json_t *root);
/* NULL if there is none. */
const struct json_place *json_places_key(struct json_places *, const json_t *parent, const char *key);
const struct json_place *json_places_item(struct json_places *, const json_t *parent, size_t index);
void json_places_free(struct json_places *);

#endif
