/* close_range(2) over the gaps between those that stay; one by one where the kernel
 * (before 5.9) or a container's filter has it not. */
#include "sys/fds.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int close_gaps(const int *keep, int n)
{
	unsigned from = 3;

	for (int i = 0; i < n; i++) {
		unsigned fd = keep[i] < 0 ? 0 : (unsigned)keep[i];

		if (fd > from && close_range(from, fd - 1, 0) < 0)
			return -errno;
		if (fd >= from)
			from = fd + 1;
	}
	return close_range(from, UINT_MAX, 0) < 0 ? -errno : 0;
}

/* The directory's own descriptor is closed last, with the directory. */
static int close_listed(const int *keep, int n)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;

	if (!dir)
		return -errno;
	while ((e = readdir(dir))) {
		int fd = atoi(e->d_name);

		if (fd > 2 && fd != dirfd(dir) && !bsearch(&fd, keep, (size_t)n, sizeof(*keep), compare))
			close(fd);
	}
	closedir(dir);
	return 0;
}

int sys_fds_close_but(int *keep, int n)
{
	int err;

	qsort(keep, (size_t)n, sizeof(*keep), compare);
	err = close_gaps(keep, n);
	return err == -ENOSYS || err == -EPERM ? close_listed(keep, n) : err;
}
