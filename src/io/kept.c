/* The way to the keeper; see kept.h. */
#include "io/kept.h"

#include <errno.h>
#include <unistd.h>

#define LEFT_MAX 64

static const struct kept_keeper *keeper;

/* What this process has left, the latest of it. The others are there until they have
 * heard as much, and are no strangers to who comes back. */
static struct {
	int type;
	struct addr at;
} left[LEFT_MAX];
static unsigned n_left;

void kept_set_keeper(const struct kept_keeper *k)
{
	keeper = k;
	n_left = 0;
}

static bool was_ours(int type, const struct addr *a)
{
	for (unsigned i = 0; i < n_left && i < LEFT_MAX; i++)
		if (left[i].type == type && addr_equal(&left[i].at, a))
			return true;
	return false;
}

static void note_left(int type, const struct addr *a)
{
	if (was_ours(type, a))
		return;
	left[n_left % LEFT_MAX].type = type;
	left[n_left++ % LEFT_MAX].at = *a;
}

/* Opened alone for a moment, so that a stranger at the address is noticed. */
static int try_alone(int (*open)(const void *context, bool shared), const void *context)
{
	int fd = open(context, false);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int kept_open(int type, const struct addr *a, int (*open)(const void *context, bool shared), const void *context)
{
	int fd, err;

	if (!keeper || !a->port)
		return open(context, false);
	fd = keeper->take(keeper->owner, type, a);
	if (fd != -ENOENT)
		return fd;
	err = keeper->first && !was_ours(type, a) ? try_alone(open, context) : 0;
	if (err)
		return err;
	fd = open(context, true);
	if (fd >= 0)
		keeper->keep(keeper->owner, type, a, fd);
	return fd;
}

void kept_close(int type, const struct addr *a)
{
	if (!keeper || !a->port)
		return;
	note_left(type, a);
	keeper->drop(keeper->owner, type, a);
}
