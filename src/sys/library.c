/*
 * dlopen(); see library.h. A library that lacks one of the functions is none: its pointers
 * may not be used, and what was loaded of it is let go.
 *
 * It does not know what the libraries are for.
 */
#include "sys/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool find_calls(const struct library *l, void *handle)
{
	for (size_t i = 0; i < l->n; i++) {
		void *at = dlsym(handle, l->calls[i].name);

		if (!at)
			return false;
		memcpy(l->calls[i].pointer, &at, sizeof(at));
	}
	return true;
}

int library_need(struct library *l, char *err, size_t size)
{
	void *handle;

	if (l->ready)
		return 0;
	handle = dlopen(l->soname, RTLD_NOW | RTLD_LOCAL);
	l->ready = handle && find_calls(l, handle);
	if (l->ready)
		return 0;
	if (size)
		snprintf(err, size, "a library is needed for this: %s", dlerror());
	if (handle)
		dlclose(handle);
	return -ENOENT;
}
