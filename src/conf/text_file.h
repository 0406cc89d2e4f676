/* Whole files in memory, bounded. */
#ifndef GATUN_CONF_TEXT_FILE_H
#define GATUN_CONF_TEXT_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Reads `fd` to its end into a buffer of the caller's: its length, or -errno;
 * -EFBIG: more than `max` bytes. What is given back on an error is wiped. */
ssize_t text_file_read(int fd, size_t max, char **out);

#endif
