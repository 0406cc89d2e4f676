/*
 * What people hand to gatun in place of a config: another program's, or a
 * subscription. A sentence says what it is and what of it is wanted here.
 */
#ifndef GATUN_CONF_FOREIGN_H
#define GATUN_CONF_FOREIGN_H

#include <jansson.h>
#include <stddef.h>

/* Of a text that is no JSON, and of an object that is; NULL: nothing that is known. No part of
 * what was given is in the sentence. */
const char *foreign_text(const char *text, size_t len);
const char *foreign_object(const json_t *);

#endif
