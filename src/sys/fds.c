/* close_range(2) over the gaps between those that stay. */
#include "sys/fds.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int sys_fds_close_but(int *keep, int n)
{
	int from = 3;

	qsort(keep, (size_t)n, sizeof(*keep), compare);
	for (int i = 0; i < n; i++) {
		if (keep[i] > from && close_range((unsigned)from, (unsigned)keep[i] - 1, 0) < 0)
			return -errno;
		if (keep[i] >= from)
			from = keep[i] + 1;
	}
	return close_range((unsigned)from, UINT_MAX, 0) < 0 ? -errno : 0;
}
