/*
 * Numbers and words as people read them on a terminal. What comes from a document
 * may hold names from outside: no byte of it can control a terminal, and how many
 * columns a text takes is known.
 */
#ifndef GATUN_CTL_TEXT_H
#define GATUN_CTL_TEXT_H

#include <jansson.h>
#include <stddef.h>

#define TEXT_SIZE 32

/* "1.4 GB". All of these return buf. */
const char *text_bytes(json_int_t n, char buf[TEXT_SIZE]);
/* "1.4G": at most 6 columns. */
const char *text_bytes_short(json_int_t n, char buf[TEXT_SIZE]);
/* "3 d 2 h", "5 min 10 s": the two largest units. */
const char *text_duration(json_int_t s, char buf[TEXT_SIZE]);
/* "3d", "5m": at most 4 columns up to some years. */
const char *text_duration_short(json_int_t s, char buf[TEXT_SIZE]);
/* "1,234,567" */
const char *text_count(json_int_t n, char buf[TEXT_SIZE]);

/* A member; 0 where there is none. */
json_int_t text_number(const json_t *object, const char *key);
/* A member that is a text, "?" where there is none: the text itself, or escaped in buf if
 * it has control bytes; UTF-8 stays. */
const char *text_word(const json_t *object, const char *key, char *buf, size_t size);

/* How many bytes of the text fit into so many columns; what it is wide in *width. Bytes
 * that are no UTF-8 end it. */
size_t text_fit(const char *text, int columns, int *width);

#endif
