/*
 * Shared libraries that few runs need, loaded when one first does. Linked in the usual way,
 * libcurl alone brings 25 others, which every start has to relocate and every process to
 * keep: docs/decisions/0012-libraries-when-needed.md.
 */
#ifndef GATUN_SYS_LIBRARY_H
#define GATUN_SYS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* One of its functions, and the pointer that is to lead there. */
struct library_call {
	const char *name;
	void *pointer; /* to a pointer to a function of the right type */
};

struct library {
	const char *soname;
	const struct library_call *calls;
	size_t n;
	bool ready;
};

/* Loads it, unless it is there, and fills all pointers in. 0; or -ENOENT with a sentence in
 * err, and then it may be asked for again. It stays until the process ends. */
int library_need(struct library *, char *err, size_t size);

#endif
