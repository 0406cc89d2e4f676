/* Small files by which the kernel is told and asked, of /proc and /proc/sys. */
#ifndef GATUN_SYS_KERNEL_FILE_H
#define GATUN_SYS_KERNEL_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Writes the whole text at once. 0 or -errno. */
int kernel_file_write(const char *path, const char *text);
/* At most size - 1 bytes, without the newlines at the end; text is always
 * terminated. Their number, or -errno and an empty text. */
ssize_t kernel_file_read(const char *path, char *text, size_t size);

#endif
