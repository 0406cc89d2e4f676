/* The way to the keeper; see kept.h. */
#include "io/kept.h"

#include <errno.h>
#include <unistd.h>

static const struct kept_keeper *keeper;

void kept_set_keeper(const struct kept_keeper *k)
{
	keeper = k;
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
	err = keeper->first ? try_alone(open, context) : 0;
	if (err)
		return err;
	fd = open(context, true);
	if (fd >= 0)
		keeper->keep(keeper->owner, type, a, fd);
	return fd;
}

void kept_close(int type, const struct addr *a)
{
	if (keeper && a->port)
		keeper->drop(keeper->owner, type, a);
}
