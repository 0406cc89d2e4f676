/* See text_file.h. The buffer is as large as may be needed from the start:
 * what is not written to costs no memory, and nothing is copied when it grows. */
#include "conf/text_file.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

ssize_t text_file_read(int fd, size_t max, char **out)
{
	size_t size = max + 1, used = 0;
	char *buf = malloc(size);
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	while ((n = read(fd, buf + used, size - used)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || used + (size_t)n == size) {
			n = n < 0 ? -errno : -EFBIG;
			sodium_memzero(buf, used);
			free(buf);
			return n;
		}
		used += (size_t)n;
	}
	*out = buf;
	return (ssize_t)used;
}
