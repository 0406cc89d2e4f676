/* Secrets out of sight, texts onto a terminal; see words.h. */
#include "cli/words.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "conf/url.h"

#define SECRET_MAX 4096
#define COLUMNS 80
#define PASSWORD_VARIABLE "GATUN_PASSWORD"

void words_wipe(char *arg)
{
	sodium_memzero(arg, strlen(arg));
}

void words_wipe_url(char *arg)
{
	static const char shown[] = "ss://***";

	if (!url_is_ss(arg))
		return;
	size_t len = strlen(arg), keep = len < sizeof(shown) - 1 ? len : sizeof(shown) - 1;

	memcpy(arg, shown, keep);
	sodium_memzero(arg + keep, len - keep);
}

char *words_take_password(void)
{
	char *value = getenv(PASSWORD_VARIABLE), *copy;

	if (!value)
		return NULL;
	copy = strdup(value);
	if (!copy)
		die(1, "out of memory");
	words_wipe(value); /* unsetenv alone leaves the bytes in /proc/PID/environ */
	unsetenv(PASSWORD_VARIABLE);
	return copy;
}

static char *first_line(char *buf, size_t n)
{
	size_t end = 0;

	while (end < n && buf[end] && buf[end] != '\n' && buf[end] != '\r')
		end++;
	if (end == 0 || end >= SECRET_MAX) {
		errno = EINVAL;
		return NULL;
	}
	return strndup(buf, end);
}

char *words_read_secret(const char *path)
{
	char buf[SECRET_MAX], *line = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), err;
	size_t used = 0;
	ssize_t n = 0;

	if (fd < 0)
		return NULL;
	while (used < sizeof(buf) && (n = read(fd, buf + used, sizeof(buf) - used)) > 0)
		used += (size_t)n;
	if (n >= 0)
		line = first_line(buf, used);
	err = errno;
	sodium_memzero(buf, used);
	close(fd);
	errno = err;
	return line;
}

void words_print_quoted(FILE *out, const char *arg)
{
	if (*arg && strspn(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,") == strlen(arg)) {
		fputs(arg, out);
		return;
	}
	fputc('\'', out);
	for (; *arg; arg++)
		if (*arg == '\'')
			fputs("'\\''", out);
		else
			fputc((unsigned char)*arg < 0x20 ? '?' : *arg, out);
	fputc('\'', out);
}

void words_print_wrapped(FILE *out, const char *text, int indent, int at)
{
	while (*text) {
		int len = (int)strcspn(text, " ");

		if (at > indent && at + 1 + len > COLUMNS) {
			fprintf(out, "\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			fputc(' ', out);
			at++;
		}
		fwrite(text, 1, (size_t)len, out);
		at += len;
		text += len;
		text += *text == ' ';
	}
	fputc('\n', out);
}

bool words_name_config(const char *arg)
{
	size_t len = strlen(arg);

	return len > 5 && strcmp(arg + len - 5, ".json") == 0 && access(arg, F_OK) == 0;
}
